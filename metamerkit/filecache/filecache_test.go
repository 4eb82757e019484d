package filecache

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

func key(s string) Key { return sha256.Sum256([]byte(s)) }

// A value is read under its own key only, and only as it was written.
func TestDamaged(t *testing.T) {
	c := Cache{Dir: filepath.Join(t.TempDir(), "in", "it"), Most: 1 << 20}
	value := []byte("a value of some length")
	if c.Load(key("x")) != nil {
		t.Error("a value without a file")
	}
	if err := c.Keep(key("x"), value); err != nil {
		t.Fatal(err)
	}
	if got := c.Load(key("x")); !bytes.Equal(got, value) {
		t.Errorf("%q, expected %q", got, value)
	}
	data, err := os.ReadFile(c.path(key("x")))
	if err != nil {
		t.Fatal(err)
	}
	bad := map[string][]byte{"a file of another key": data, "an empty file": {}, "a longer file": append(data[:len(data):len(data)], 0)}
	at := map[string]Key{"a file of another key": key("y")}
	for i := range data {
		flipped := bytes.Clone(data)
		flipped[i] ^= 1 << (i % 8)
		bad[fmt.Sprint("a flipped bit in byte ", i)] = flipped
		bad[fmt.Sprint("a file cut at byte ", i)] = data[:i]
	}
	for name, content := range bad {
		k, ok := at[name]
		if !ok {
			k = key("x")
		}
		if err := os.WriteFile(c.path(k), content, 0o666); err != nil {
			t.Fatal(err)
		}
		if got := c.Load(k); got != nil {
			t.Errorf("%s is read: %q", name, got)
		}
	}
	if err := c.Keep(key("x"), value); err != nil || !bytes.Equal(c.Load(key("x")), value) {
		t.Errorf("a damaged file is not replaced: %v", err)
	}
	if c.Remove(key("x")); c.Load(key("x")) != nil {
		t.Error("a value is there after it was removed")
	}
}

// Writers and readers at once see whole values, and no more bytes stay than are allowed.
func TestAtOnce(t *testing.T) {
	value := bytes.Repeat([]byte("value"), 1000)
	c := Cache{Dir: t.TempDir(), Most: 8 * int64(sha256.Size+len(value))}
	var all sync.WaitGroup
	for i := range 32 {
		k := key(string(rune('a' + i%12)))
		all.Go(func() {
			if err := c.Keep(k, value); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			if got := c.Load(k); got != nil && !bytes.Equal(got, value) {
				t.Errorf("%d bytes of another value", len(got))
			}
		})
	}
	all.Wait()
	if err := c.Keep(key("last"), value); err != nil {
		t.Fatal(err)
	}
	if files, size := c.Size(); files == 0 || size > c.Most || !bytes.Equal(c.Load(key("last")), value) {
		t.Errorf("%d files of %d bytes, at most %d allowed", files, size, c.Most)
	}
}

// The files used longest ago are removed, and what a process left when it was killed. A value
// that would fill a quarter of the folder is not kept.
func TestBounded(t *testing.T) {
	value := make([]byte, 1000)
	c := Cache{Dir: t.TempDir(), Most: 5 * int64(sha256.Size+len(value))}
	keep := func(name string) {
		t.Helper()
		if err := c.Keep(key(name), value); err != nil {
			t.Fatal(err)
		}
	}
	age := func(path string, minutes int) {
		t.Helper()
		at := time.Now().Add(-time.Duration(minutes) * time.Minute)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	left, writing := filepath.Join(c.Dir, ".left.part"), filepath.Join(c.Dir, ".writing.part")
	for _, p := range []string{left, writing} {
		if err := os.WriteFile(p, value, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	age(left, 48*60)
	for i, name := range []string{"a", "b", "c", "d"} {
		keep(name)
		age(c.path(key(name)), 40-i)
	}
	if c.Load(key("a")) == nil { // it is used again
		t.Fatal("a is gone")
	}
	keep("e") // in the place of what was left
	keep("f") // in the place of b
	for name, stays := range map[string]bool{"a": true, "b": false, "c": true, "d": true, "e": true, "f": true} {
		if (c.Load(key(name)) != nil) != stays {
			t.Errorf("%s: there is %v, expected %v", name, !stays, stays)
		}
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what a process left two days ago is there: %v", err)
	}
	if _, err := os.Stat(writing); err != nil {
		t.Errorf("what is being written is gone: %v", err)
	}
	if err := c.Keep(key("large"), make([]byte, c.Most/4+1)); err != nil || c.Load(key("large")) != nil {
		t.Errorf("a large value is kept: %v", err)
	}
	if none := (Cache{}); none.Keep(key("x"), value) != nil || none.Load(key("x")) != nil {
		t.Error("a cache without a folder keeps a value")
	}
	if err := (Cache{Dir: filepath.Join(os.DevNull, "x"), Most: 1 << 20}).Keep(key("x"), value); err == nil {
		t.Error("no error where nothing can be written")
	}
}
