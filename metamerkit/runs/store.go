// Package runs stores runs. Each run is a folder named by the recipe's ID and published
// by one rename, so that a folder with such a name is always complete.
//
//	<id>/recipe.json evidence.json trace.csv
//	     metamers.safetensors start.safetensors (float32 [N,Size,Size,3])
//	     previews/000_magpie.png … and what the program adds
//	     manifest.json (SHA-256 of every file)
//	     rows/<key>.<sha256>.csv (rows of evaluations; not in the manifest)
//	.<id>.lock .<id>.checkpoint .<id>.part-<owner>-* (while the run is made)
//	.damaged-<id>-* (a run that was set aside because a file is not as it was written)
//
// Locks only save work. On file systems without locks, two processes may make the same
// run; the second finds it published, and both return the stored run.
//
// A store can also be in an object store (see Bucket). The folder is then a local copy of
// the runs that were read or made on this machine.
package runs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Store is a folder or bucket of runs.
type Store struct {
	Dir string // the folder; of an object store: the folder of local copies
	URL string // of an object store; "" for a folder

	noLocks bool // for tests: behave as on a file system without locks
}

// Open returns the store in a folder, which it creates if needed, or at a URL:
// file:///path, or a scheme passed to Register.
func Open(where string) (*Store, error) {
	s, err := Locate(where)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("runs: %w", err)
	}
	return s, s.mark()
}

// Where returns the URL or folder with which Open opens the store, "" for nil.
func (s *Store) Where() string {
	if s == nil {
		return ""
	}
	if s.URL != "" {
		return s.URL
	}
	return s.Dir
}

// writable says with an error why nothing can be written in the folder.
func (s *Store) writable() error {
	f, err := os.CreateTemp(s.Dir, ".writable-*")
	if err != nil {
		return fmt.Errorf("runs: the folder %s is not writable: %w", s.Dir, err)
	}
	f.Close()
	return os.Remove(f.Name())
}

// CorruptError reports a run whose files differ from what was written.
type CorruptError struct {
	Dir, Problem string
	remote       bool // Dir is an object
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("runs: %s is damaged: %s", e.Dir, e.Problem)
}

// IDs returns the IDs of the finished runs, newest first.
func (s *Store) IDs() ([]string, error) {
	entries, err := os.ReadDir(s.Dir)
	if err != nil && (s.URL == "" || !errors.Is(err, fs.ErrNotExist)) {
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
	if s.URL != "" {
		ctx := context.Background()
		b, err := s.bucket(ctx)
		if err != nil {
			return nil, err
		}
		objects, err := b.List(ctx, "")
		if err != nil {
			return nil, fmt.Errorf("runs: listing %s: %w", s.URL, err)
		}
		for _, o := range objects {
			id, isRun := strings.CutSuffix(o.Key, ".zip")
			if isRun && idForm.MatchString(id) && !slices.ContainsFunc(found, func(f dated) bool { return f.id == id }) {
				found = append(found, dated{id, o.Modified})
			}
		}
	}
	slices.SortFunc(found, func(a, b dated) int { return b.when.Compare(a.when) })
	ids := make([]string, len(found))
	for i, f := range found {
		ids[i] = f.id
	}
	return ids, nil
}

// Has reports whether a run is stored, without reading its files.
func (s *Store) Has(ctx context.Context, id string) (bool, error) {
	if err := checkID(id); err != nil {
		return false, err
	}
	if s.URL != "" {
		b, err := s.bucket(ctx)
		if err != nil {
			return false, err
		}
		_, err = b.Stat(ctx, objectKey(id))
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("runs: looking for run %s in %s: %w", id, s.URL, err)
		}
		return true, nil
	}
	_, err := os.Stat(filepath.Join(s.Dir, id, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("runs: %w", err)
	}
	return true, nil
}

// Resolve returns the ID of the only run whose ID begins with prefix. No match and several
// matches are errors.
func (s *Store) Resolve(prefix string) (string, error) {
	ids, err := s.IDs()
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a store that nothing was written to has no folder
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
		return "", fmt.Errorf("runs: no run %q in %s: %w", prefix, s.Where(), fs.ErrNotExist)
	case 1:
		return hits[0], nil
	}
	return "", fmt.Errorf("runs: %q matches %d runs: %s", prefix, len(hits), strings.Join(hits, ", "))
}

// Remove deletes a run, damaged or not. It renames the folder first, so that no partial run
// is ever visible.
func (s *Store) Remove(id string) error {
	if err := checkID(id); err != nil {
		return err
	}
	failed := func(err error) error { return fmt.Errorf("runs: removing run %s: %w", id, err) }
	if s.URL != "" {
		if err := s.removeObjects(context.Background(), id); err != nil {
			return failed(err)
		}
	}
	gone := filepath.Join(s.Dir, fmt.Sprintf(".gone-%s-%d", id, time.Now().UnixNano()))
	if err := os.Rename(filepath.Join(s.Dir, id), gone); err != nil {
		if s.URL != "" && errors.Is(err, fs.ErrNotExist) {
			return nil // it was in the bucket only
		}
		return failed(err)
	}
	if err := os.RemoveAll(gone); err != nil {
		return failed(err)
	}
	return nil
}

var idForm = regexp.MustCompile(`^[0-9a-f]{16}$`)

// checkID keeps names such as "../x" away from the file system.
func checkID(id string) error {
	if !idForm.MatchString(id) {
		return fmt.Errorf("runs: %q is not a run ID, expected 16 hexadecimal digits", id)
	}
	return nil
}
