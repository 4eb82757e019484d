// Package runs keeps runs on disk: a folder each, named by the recipe's ID,
// published by one rename, so that a folder that is there is complete.
//
//	<id>/recipe.json evidence.json trace.csv
//	     metamers.safetensors start.safetensors (float32 [N,Size,Size,3])
//	     previews/000.png … and what the program adds
//	     manifest.json (SHA-256 of every file)
//	     rows/<hash>.csv (what evaluations keep; not in the manifest)
//	.<id>.lock .<id>.checkpoint .<id>.part-*  (while it is being made)
package runs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Store is a folder of runs.
type Store struct{ Dir string }

// Open returns the store in dir, which it makes if needed and which must be
// writable.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("runs: %w", err)
	}
	f, err := os.CreateTemp(dir, ".writable-*")
	if err != nil {
		return nil, fmt.Errorf("runs: the folder %s is not writable: %w", dir, err)
	}
	f.Close()
	return &Store{dir}, os.Remove(f.Name())
}

// CorruptError reports a run whose files are not what was written.
type CorruptError struct{ Dir, Problem string }

func (e *CorruptError) Error() string {
	return fmt.Sprintf("runs: %s is damaged: %s; remove it to make it again", e.Dir, e.Problem)
}

// manifest maps file names to their SHA-256.
type manifest struct {
	Files map[string]string `json:"files"`
}

// verify holds every file of a run against its manifest.
func verify(dir string) error {
	data, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		return &CorruptError{dir, err.Error()}
	}
	var m manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return &CorruptError{dir, "manifest.json: " + err.Error()}
	}
	for name, want := range m.Files {
		got, err := sum(filepath.Join(dir, name))
		if err != nil {
			return &CorruptError{dir, err.Error()}
		}
		if got != want {
			return &CorruptError{dir, fmt.Sprintf("%s has the SHA-256 %s, expected %s", name, got, want)}
		}
	}
	for _, need := range []string{"recipe.json", "evidence.json", "trace.csv", "metamers.safetensors", "start.safetensors"} {
		if m.Files[need] == "" {
			return &CorruptError{dir, "the manifest lacks " + need}
		}
	}
	return nil
}

func sum(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	return digest(data), nil
}

func digest(data []byte) string {
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:])
}

// IDs lists the finished runs, newest first.
func (s *Store) IDs() ([]string, error) {
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		return nil, fmt.Errorf("runs: %w", err)
	}
	type dated struct {
		id   string
		when time.Time
	}
	var found []dated
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !e.IsDir() || !idForm.MatchString(e.Name()) {
			continue
		}
		// The folder's own time changes when an evaluation keeps its rows there.
		if m, err := os.Stat(filepath.Join(s.Dir, e.Name(), "manifest.json")); err == nil {
			info = m
		}
		found = append(found, dated{e.Name(), info.ModTime()})
	}
	slices.SortFunc(found, func(a, b dated) int { return b.when.Compare(a.when) })
	ids := make([]string, len(found))
	for i, f := range found {
		ids[i] = f.id
	}
	return ids, nil
}

// Resolve returns the one run whose ID begins with prefix.
func (s *Store) Resolve(prefix string) (string, error) {
	ids, err := s.IDs()
	if err != nil {
		return "", err
	}
	var hits []string
	for _, id := range ids {
		if id == prefix {
			return id, nil
		}
		if prefix != "" && strings.HasPrefix(id, prefix) {
			hits = append(hits, id)
		}
	}
	switch len(hits) {
	case 0:
		return "", fmt.Errorf("runs: no run %q in %s: %w", prefix, s.Dir, fs.ErrNotExist)
	case 1:
		return hits[0], nil
	}
	return "", fmt.Errorf("runs: %q stands for %d runs: %s", prefix, len(hits), strings.Join(hits, ", "))
}

// Remove deletes a run, damaged or not: it is renamed first, so that half a run
// never shows.
func (s *Store) Remove(id string) error {
	if err := checkID(id); err != nil {
		return err
	}
	gone := filepath.Join(s.Dir, ".gone-"+id)
	if err := os.RemoveAll(gone); err != nil { // of a removal that was killed
		return fmt.Errorf("runs: removing run %s: %w", id, err)
	}
	if err := os.Rename(filepath.Join(s.Dir, id), gone); err != nil {
		return fmt.Errorf("runs: removing run %s: %w", id, err)
	}
	if err := os.RemoveAll(gone); err != nil {
		return fmt.Errorf("runs: removing run %s: %w", id, err)
	}
	return nil
}

var idForm = regexp.MustCompile(`^[0-9a-f]{16}$`)

// checkID keeps names such as "../x" away from the file system.
func checkID(id string) error {
	if !idForm.MatchString(id) {
		return fmt.Errorf("runs: %q is no run's ID, expected 16 hexadecimal digits", id)
	}
	return nil
}

// Work is the right to make one run. Only one process holds it at a time.
type Work struct {
	ID    string
	store *Store
	lock  *flock.Flock
}

// Begin takes the lock of a run, waiting for another process that holds it until
// ctx ends. When the run is there by then, it is returned and there is no work.
func (s *Store) Begin(ctx context.Context, r metamer.Recipe) (*Work, *metamer.Run, error) {
	w := &Work{ID: r.ID(), store: s}
	w.lock = flock.New(filepath.Join(s.Dir, "."+w.ID+".lock"))
	if _, err := w.lock.TryLockContext(ctx, 100*time.Millisecond); err != nil {
		w.Close()
		if ctx.Err() != nil {
			return nil, nil, fmt.Errorf("runs: waiting for another process that makes run %s: %w", w.ID, err)
		}
		return nil, nil, fmt.Errorf("runs: locking run %s: %w", w.ID, err)
	}
	run, err := s.Load(w.ID)
	switch {
	case err == nil:
		run.Cached = true
		w.Close()
		return nil, run, nil
	case errors.Is(err, fs.ErrNotExist):
		if err := w.sweep(); err != nil {
			w.Close()
			return nil, nil, fmt.Errorf("runs: removing what was left of run %s: %w", w.ID, err)
		}
		return w, nil, nil
	}
	w.Close()
	return nil, nil, err
}

// sweep removes what a killed process left half-written.
func (w *Work) sweep() error {
	entries, err := os.ReadDir(w.store.Dir)
	for _, e := range entries {
		n := e.Name()
		if strings.HasPrefix(n, "."+w.ID+".part-") || strings.HasPrefix(n, filepath.Base(w.checkpointPath())+".new") ||
			strings.HasPrefix(n, "."+filepath.Base(w.checkpointPath())+".new") { // weights' own temporary file
			err = errors.Join(err, os.RemoveAll(filepath.Join(w.store.Dir, n)))
		}
	}
	return err
}

// Close gives the right back. The lock file stays: removing it would let two
// processes hold locks of the same name.
func (w *Work) Close() error { return w.lock.Unlock() }
