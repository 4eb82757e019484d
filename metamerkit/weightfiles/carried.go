package weightfiles

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

var carried fs.FS

// Carry lets Locate find the weight files in f, which a program has in itself. A
// program calls it before it locates anything.
func Carry(f fs.FS) { carried = f }

// unpack writes a carried file into the cache folder, once (and again where it was
// damaged), and returns its path; "" if it is not carried. The name holds the sum, so that
// another version of the program has its own. Where the cache folder cannot be written,
// the path is of a file in memory.
func unpack(w card.Weights) (string, error) {
	if carried == nil || len(w.SHA256) < 8 {
		return "", nil
	}
	path := filepath.Join(paths.Cache(), "carried", w.SHA256[:8], w.File)
	if checked.is(path) {
		return path, nil
	}
	data, err := fs.ReadFile(carried, w.File)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("the weights %s in the program: %w", w.File, err)
	}
	have, err := os.ReadFile(path)
	if err == nil && bytes.Equal(have, data) {
		return path, checked.note(path)
	}
	if err = os.MkdirAll(filepath.Dir(path), 0o755); err == nil {
		err = paths.WriteBytes(path, data)
	}
	if err == nil {
		return path, checked.note(path)
	}
	path, failed := held.path(w.SHA256, w.File, data) // the cache folder cannot be written
	if failed != nil {
		return "", fmt.Errorf("unpacking the weights %s: %w", w.File, errors.Join(err, failed))
	}
	return path, nil
}

// carriedAt is what Pull returns of weights that the program carries.
func carriedAt(path string, w card.Weights, err error) (Pulled, error) {
	if err != nil {
		return Pulled{}, fmt.Errorf("weightfiles: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return Pulled{}, fmt.Errorf("weightfiles: %w", err)
	}
	return Pulled{Path: path, Pin: Pin{File: w.File, SHA256: w.SHA256, Size: info.Size()}, Stored: true, Carried: true}, nil
}

// inMemory are carried files that could not be written into the cache folder.
type inMemory struct {
	mu    sync.Mutex
	paths map[string]string // by SHA-256
	files []*os.File        // stay open: a file in memory ends with its last descriptor
}

var held inMemory

func (m *inMemory) path(sum, name string, data []byte) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p, ok := m.paths[sum]; ok {
		return p, nil
	}
	f, p, err := memoryFile(name, data)
	if err != nil {
		return "", err
	}
	if m.paths == nil {
		m.paths = map[string]string{}
	}
	m.paths[sum], m.files = p, append(m.files, f)
	return p, nil
}

// found are files as they were when they were last held against the program's.
type found struct {
	mu    sync.Mutex
	files map[string]fs.FileInfo
}

var checked found

// is reports whether a file was whole and has the size and time that it had then.
func (f *found) is(path string) bool {
	now, err := os.Stat(path)
	if err != nil {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	then := f.files[path]
	return then != nil && os.SameFile(then, now) && then.Size() == now.Size() && then.ModTime().Equal(now.ModTime())
}

// note takes note of a file that is whole.
func (f *found) note(path string) error {
	now, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("unpacking weights: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.files == nil {
		f.files = map[string]fs.FileInfo{}
	}
	f.files[path] = now
	return nil
}
