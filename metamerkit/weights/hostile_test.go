package weights

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOtherFiles(t *testing.T) {
	dir := t.TempDir()
	for data, text := range map[string]string{
		"": "empty", "PK": "begins with", "\x80": "begins with", "hello world, hello": "begins with", "\x80\x02": "cut short",
		"<!DOCTYPE html><title>404</title>":                                "HTML page",
		"\ufeff\r\n <HTML lang=en>":                                        "HTML page",
		"version https://git-lfs.github.com/spec/v1\n":                     "Git LFS pointer",
		"\x80\x04\x95\x0a\x00\x00\x00\x00\x00\x00\x00" + str("abcd") + ".": "magic number",
	} {
		path := filepath.Join(dir, "x.pth")
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(path)
		if e := formatError(t, data, err); e != nil && (e.Path != path || !strings.Contains(err.Error(), text)) {
			t.Errorf("%q: %v, expected %q in it", data, err, text)
		}
	}
	_, err := Open(dir)
	formatError(t, "a folder", err)
	if _, err := Open(filepath.Join(dir, "missing")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file gives %v", err)
	}
}

func TestChecksum(t *testing.T) {
	path := filepath.Join(golden, "zip.pth")
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if g, err := openVerified(path, f.SHA256); err != nil || g.SHA256 != f.SHA256 || len(g.SHA256) != 64 {
		t.Errorf("its own sum %s gives %v", f.SHA256, err)
	}
	want := strings.Repeat("0", 64)
	var e *ChecksumError
	if _, err := openVerified(path, want); !errors.As(err, &e) || e.Path != path || e.Got != f.SHA256 || e.Want != want {
		t.Errorf("another sum gives %v", err)
	}
}

// Whatever is cut off the end of a file, it is refused; whichever byte is changed,
// it is refused or read, and nothing large is allocated.
func TestDamagedFiles(t *testing.T) {
	for _, name := range []string{"cuda.th", "model.th", "nested.pth", "header640.safetensors", "written.safetensors"} {
		data, err := os.ReadFile(filepath.Join(golden, name))
		if err != nil {
			t.Fatal(err)
		}
		for n := range data {
			_, err := Parse(name, data[:n])
			formatError(t, name, err)
		}
		for n := range data {
			for _, v := range []byte{0, 0xff, data[n] ^ 1, '('} {
				changed := bytes.Clone(data)
				changed[n] = v
				used := allocated(func() { _, err = Parse(name, changed) })
				if err != nil {
					formatError(t, name, err)
				}
				if used > 1<<20 {
					t.Errorf("%s with byte %d = %d: %d bytes are allocated", name, n, v, used)
				}
			}
		}
	}
	for _, name := range []string{"resnet2b.pth", "resnet20-12fca82f.th"} {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(dataFile(t, name))
			if err != nil {
				t.Fatal(err)
			}
			for n := 0; n < len(data); n += 1 + len(data)/97 {
				_, err := Parse(name, data[:n])
				formatError(t, name, err)
			}
		})
	}
}
