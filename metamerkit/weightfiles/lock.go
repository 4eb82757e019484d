// Package weightfiles finds and downloads the weight files of models. A file without a
// checksum on its card is pinned to the checksum that it had when it was pulled.
package weightfiles

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// Pin is what was pulled for a model.
type Pin struct {
	File     string `json:"file"`
	SHA256   string `json:"sha256"` // whole
	Size     int64  `json:"size"`   // bytes
	Hub      string `json:"hub,omitempty"`
	Revision string `json:"revision,omitempty"` // the commit
	URL      string `json:"url,omitempty"`
}

// lockFile is the form of the file.
type lockFile struct {
	Version int            `json:"version"` // 1
	Models  map[string]Pin `json:"models"`  // by the card's name
}

// maxLock is the largest lock that is read.
const maxLock = 4 << 20

// LockPath is where the pins are kept.
func LockPath() string { return filepath.Join(paths.Cache(), "models.lock.json") }

// Pins reads the lock; there is none before the first pull.
func Pins() (map[string]Pin, error) {
	data, err := os.ReadFile(LockPath())
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return map[string]Pin{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("weightfiles: %w", err)
	}
	pins, err := parseLock(data)
	if err != nil {
		return nil, fmt.Errorf("weightfiles: %s: %w; put it right, or remove it to forget what was pinned", LockPath(), err)
	}
	return pins, nil
}

var (
	whole = regexp.MustCompile(`^[0-9a-f]{64}$`)
	some  = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

func parseLock(data []byte) (map[string]Pin, error) {
	if len(data) > maxLock {
		return nil, fmt.Errorf("%d bytes, expected at most %d", len(data), maxLock)
	}
	var l lockFile
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("text after the closing brace")
	}
	if l.Version != 1 {
		return nil, fmt.Errorf("version %d, expected 1", l.Version)
	}
	for name, p := range l.Models {
		if name == "" || p.File == "" || !whole.MatchString(p.SHA256) || p.Size < 1 || p.Revision != "" && !some.MatchString(p.Revision) {
			return nil, fmt.Errorf("the pin of %q is %+v, expected a file, a SHA-256 of 64 digits, a size and, of a hub's file, a commit", name, p)
		}
	}
	if l.Models == nil {
		l.Models = map[string]Pin{}
	}
	return l.Models, nil
}

// change rewrites the lock; several processes may do so at once.
func change(ctx context.Context, edit func(pins map[string]Pin)) error {
	if err := os.MkdirAll(paths.Cache(), 0o777); err != nil {
		return fmt.Errorf("weightfiles: %w", err)
	}
	guard := flock.New(LockPath()+".guard", flock.SetPermissions(0o666))
	if _, err := guard.TryLockContext(ctx, 50*time.Millisecond); err != nil {
		return fmt.Errorf("weightfiles: waiting for %s: %w", guard.Path(), err)
	}
	defer guard.Close()
	pins, err := Pins()
	if err != nil {
		return err
	}
	edit(pins)
	text, err := json.MarshalIndent(lockFile{1, pins}, "", "  ")
	if err != nil {
		return fmt.Errorf("weightfiles: %w", err)
	}
	if err := paths.WriteBytes(LockPath(), append(text, '\n')); err != nil {
		return fmt.Errorf("weightfiles: %w", err)
	}
	return nil
}
