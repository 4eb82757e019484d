// Package filecache keeps values in the files of one folder for later processes. Losing a
// file costs only the time to make its value again.
package filecache

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// Key is the hash of everything that a value depends on.
type Key = [sha256.Size]byte

// Cache is a folder with a value in each file. A file begins with a checksum over its key
// and value, and is renamed to its name when it is whole, so that processes can share a folder.
type Cache struct {
	Dir  string // "": nothing is kept
	Most int64  // bytes of all files; beyond it those used longest ago are removed
}

func (c Cache) path(key Key) string { return filepath.Join(c.Dir, hex.EncodeToString(key[:])) }

// Load returns the value that is kept under a key, nil if there is none or it is damaged.
func (c Cache) Load(key Key) []byte {
	if c.Dir == "" {
		return nil
	}
	data, err := os.ReadFile(c.path(key))
	if err != nil || len(data) < sha256.Size {
		return nil
	}
	value := data[sha256.Size:]
	if sum := checksum(key, value); !bytes.Equal(sum[:], data[:sha256.Size]) {
		return nil
	}
	now := time.Now()
	_ = os.Chtimes(c.path(key), now, now) // it was used
	return value
}

// Keep writes a value whole or not at all. A value of more than a quarter of all bytes is
// not kept.
func (c Cache) Keep(key Key, value []byte) error {
	if c.Dir == "" || int64(len(value)) > c.Most/4 {
		return nil
	}
	if err := os.MkdirAll(c.Dir, 0o777); err != nil {
		return fmt.Errorf("filecache: %w", err)
	}
	sum := checksum(key, value)
	c.shrink(c.Most - int64(len(sum)+len(value)))
	return paths.WriteBytes(c.path(key), append(sum[:], value...))
}

// Remove removes the value of a key.
func (c Cache) Remove(key Key) {
	if c.Dir != "" {
		_ = os.Remove(c.path(key))
	}
}

// Size counts the files and their bytes.
func (c Cache) Size() (files int, bytes int64) {
	for _, f := range c.list() {
		files, bytes = files+1, bytes+f.Size()
	}
	return files, bytes
}

func checksum(key Key, value []byte) (sum Key) {
	h := sha256.New()
	h.Write(key[:])
	h.Write(value)
	h.Sum(sum[:0])
	return sum
}

// list returns the files. Those with a dot are being written, unless they are a day old.
func (c Cache) list() (files []os.FileInfo) {
	if c.Dir == "" {
		return nil
	}
	entries, _ := os.ReadDir(c.Dir)
	for _, e := range entries {
		if st, err := e.Info(); err == nil && st.Mode().IsRegular() && (e.Name()[0] != '.' || time.Since(st.ModTime()) > 24*time.Hour) {
			files = append(files, st)
		}
	}
	return files
}

// shrink removes files until the rest takes so many bytes at most.
func (c Cache) shrink(most int64) {
	files, total := c.list(), int64(0)
	for _, st := range files {
		total += st.Size()
	}
	slices.SortFunc(files, func(a, b os.FileInfo) int {
		return cmp.Or(a.ModTime().Compare(b.ModTime()), cmp.Compare(a.Name(), b.Name()))
	})
	for _, st := range files {
		if total <= most {
			return
		}
		if os.Remove(filepath.Join(c.Dir, st.Name())) == nil {
			total -= st.Size()
		}
	}
}
