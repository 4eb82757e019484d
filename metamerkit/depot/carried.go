package depot

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/place"
)

var carried fs.FS

// Carry lets Locate find the weight files in f, which a program has in itself. A
// program calls it before it locates anything.
func Carry(f fs.FS) { carried = f }

// unpack writes a carried file into the cache folder, once (and again where it was
// damaged), and returns its path; "" if it is not carried. The name holds the sum, so that another version of the
// program has its own.
func unpack(w card.Weights) (string, error) {
	if carried == nil || len(w.SHA256) < 8 {
		return "", nil
	}
	data, err := fs.ReadFile(carried, w.File)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("the weights %s in the program: %w", w.File, err)
	}
	path := filepath.Join(place.Cache(), "carried", w.SHA256[:8], w.File)
	if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, data) {
		return path, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", fmt.Errorf("unpacking the weights %s: %w", w.File, err)
	}
	if err := place.WriteBytes(path, data); err != nil {
		return "", fmt.Errorf("unpacking the weights %s: %w", w.File, err)
	}
	return path, nil
}
