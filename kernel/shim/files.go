package shim

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
	"time"
)

// Limits of the cache of built programs.
const (
	cacheFiles = 64
	cacheBytes = 1 << 30
)

// Temporary returns a new name in the folder of file. The file is written under this name and
// then renamed. The name differs in each call, because several sessions of one process, or
// containers that share a cache, may write the same file at the same time.
func Temporary(file string) string { return fmt.Sprintf("%s.%016x.part", file, rand.Uint64()) }

// Place makes to the same file as from, by a link where that is possible.
func Place(from, to string) error {
	tmp := Temporary(to)
	if os.Link(from, tmp) != nil {
		if err := copyFile(from, tmp); err != nil {
			return err
		}
	}
	now := time.Now()
	os.Chtimes(from, now, now) // for trim: used last
	if err := os.Rename(tmp, to); err != nil {
		os.Remove(tmp)
		return err
	}
	os.Remove(tmp) // a rename of two links of one file does nothing
	return nil
}

// moveFile moves a file, across file systems too; to never exists half.
func moveFile(from, to string) error {
	if os.Rename(from, to) == nil {
		return nil
	}
	tmp := Temporary(to)
	if err := copyFile(from, tmp); err != nil {
		os.Remove(tmp)
		return err
	}
	return os.Rename(tmp, to)
}

func copyFile(from, to string) error {
	r, err := os.Open(from)
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o700)
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, r); err != nil {
		w.Close()
		return err
	}
	return w.Close()
}

// trim removes the files not used for longest until the cache is within limits.
func trim(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	var files []os.FileInfo
	var total int64
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			files = append(files, info)
			total += info.Size()
		}
	}
	sort.Slice(files, func(i, j int) bool { return files[i].ModTime().Before(files[j].ModTime()) })
	for len(files) > cacheFiles || total > cacheBytes && len(files) > 1 {
		os.Remove(filepath.Join(dir, files[0].Name()))
		total -= files[0].Size()
		files = files[1:]
	}
}

// Keep writes a file that never exists half. What cannot be kept is made again.
func Keep(data []byte, to string) {
	tmp := Temporary(to)
	if os.WriteFile(tmp, data, 0o600) != nil || os.Rename(tmp, to) != nil {
		os.Remove(tmp)
	}
}
