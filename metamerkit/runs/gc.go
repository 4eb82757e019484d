package runs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// Garbage is a file or folder in a store that is no longer needed.
type Garbage struct {
	Path   string
	What   string
	Bytes  int64
	remove func() error
}

// GC holds the options of Store.Garbage.
type GC struct {
	// Older is the age at which files of other machines, and those whose process is unknown,
	// are garbage; default 24 h.
	Older time.Duration
	// Damaged includes runs that were set aside because they were damaged.
	Damaged bool
}

var (
	lockForm       = regexp.MustCompile(`^\.([0-9a-f]{16})\.lock$`)
	checkpointForm = regexp.MustCompile(`^\.([0-9a-f]{16})\.checkpoint$`)
	asideForm      = regexp.MustCompile(`^\.damaged-([0-9a-f]{16})-[0-9]+$`)
	// temporaryForm matches present and former names of temporary files: parts of runs and
	// checkpoints, removed runs, the test of a folder, those of paths.WriteFile.
	temporaryForm = regexp.MustCompile(`^\.([0-9a-f]{16}\.part-.*|\.?[0-9a-f]{16}\.checkpoint\.new.*|gone-.*|writable-.*|.*\.part)$`)
)

// Garbage returns temporary and partial files of processes that have ended, unused locks,
// and the checkpoints of finished runs. It never returns finished runs, checkpoints of
// unfinished runs, or files that a process may still be writing.
func (s *Store) Garbage(ctx context.Context, o GC) (found []Garbage, err error) {
	if o.Older == 0 {
		o.Older = forgotten
	}
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		return nil, fmt.Errorf("runs: %w", err)
	}
	for _, e := range entries {
		name, path := e.Name(), filepath.Join(s.Dir, e.Name())
		switch {
		case temporaryForm.MatchString(name):
			if abandoned(path, o.Older) {
				found = append(found, thrash(path, "temporary, its maker is gone"))
			}
		case lockForm.MatchString(name):
			if g, ok := s.lockGarbage(path, lockForm.FindStringSubmatch(name)[1]); ok {
				found = append(found, g)
			}
		case checkpointForm.MatchString(name):
			if g, ok := s.checkpointGarbage(path, checkpointForm.FindStringSubmatch(name)[1]); ok {
				found = append(found, g)
			}
		case asideForm.MatchString(name) && o.Damaged:
			id := asideForm.FindStringSubmatch(name)[1]
			if _, err := s.local(id); err != nil && verify(path) == nil {
				continue // it is whole, and there is no other
			}
			found = append(found, thrash(path, "a damaged run that was set aside"))
		case idForm.MatchString(name) && e.IsDir():
			more, err := rowGarbage(path, o.Older)
			if err != nil {
				return nil, err
			}
			found = append(found, more...)
		}
	}
	if s.URL != "" {
		more, err := s.bucketGarbage(ctx, o)
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	return found, nil
}

// Remove deletes the file or folder. The error is that of the file system or object store.
func (g Garbage) Remove() error {
	if err := g.remove(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("runs: removing %s: %w", g.Path, err)
	}
	return nil
}

func thrash(path, what string) Garbage {
	return Garbage{Path: path, What: what, Bytes: size(path), remove: func() error { return os.RemoveAll(path) }}
}

func size(path string) (n int64) {
	filepath.WalkDir(path, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if info, err := e.Info(); err == nil && !e.IsDir() {
			n += info.Size()
		}
		return nil
	})
	return n
}

// held calls do while it holds a run's lock, and then removes the lock file if do returns
// true. It returns false without calling do if another process holds the lock or the folder
// has no locks.
func (s *Store) held(id string, do func() (unlink bool, err error)) (bool, error) {
	l := flock.New(filepath.Join(s.Dir, "."+id+".lock"))
	defer l.Close()
	if ok, err := l.TryLock(); !ok || err != nil || !named(l) {
		return false, nil
	}
	unlink, err := do()
	if unlink {
		err = errors.Join(err, os.Remove(l.Path()))
	}
	return true, err
}

// lockGarbage: a lock that nobody holds, of a run that is not under way.
func (s *Store) lockGarbage(path, id string) (g Garbage, ok bool) {
	if _, err := os.Stat(filepath.Join(s.Dir, "."+id+".checkpoint")); err == nil {
		return g, false // the run goes on some day
	}
	if free, _ := s.held(id, func() (bool, error) { return false, nil }); !free {
		return g, false
	}
	return Garbage{Path: path, What: "a lock that nobody holds", remove: func() error {
		_, err := s.held(id, func() (bool, error) { return true, nil })
		return err
	}}, true
}

// checkpointGarbage: of a run that is finished and whole, or itself half-written.
func (s *Store) checkpointGarbage(path, id string) (g Garbage, ok bool) {
	what := ""
	if _, err := s.local(id); err == nil {
		what = "the checkpoint of a run that is finished"
	} else if data, err := os.ReadFile(path); err == nil {
		if _, err := parseCheckpoint(data); err != nil {
			what = "a damaged checkpoint: " + err.Error()
		}
	}
	if what == "" {
		return g, false
	}
	return Garbage{Path: path, What: what, Bytes: size(path), remove: func() error {
		if free, err := s.held(id, func() (bool, error) { return true, os.Remove(path) }); free || err != nil {
			return err
		}
		return fmt.Errorf("the run is being made")
	}}, true
}

// rowGarbage: temporary files of rows, and rows that older versions wrote.
func rowGarbage(run string, older time.Duration) (found []Garbage, err error) {
	entries, err := os.ReadDir(filepath.Join(run, "rows"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("runs: %w", err)
	}
	for _, e := range entries {
		path := filepath.Join(run, "rows", e.Name())
		switch {
		case strings.HasPrefix(e.Name(), ".") && strings.HasSuffix(e.Name(), ".part"):
			if abandoned(path, older) {
				found = append(found, thrash(path, "temporary, its maker is gone"))
			}
		case rowsForm.MatchString(e.Name()):
			if _, err := readRows(path); Missing(err) {
				found = append(found, thrash(path, "damaged rows"))
			}
		}
	}
	return found, nil
}

// bucketGarbage: checkpoints of finished runs, and what was set aside.
func (s *Store) bucketGarbage(ctx context.Context, o GC) (found []Garbage, err error) {
	b, err := s.bucket(ctx)
	if err != nil {
		return nil, err
	}
	add := func(x Object, what string) {
		found = append(found, Garbage{Path: s.URL + "/" + x.Key, What: what, Bytes: x.Size, remove: func() error { return b.Delete(ctx, x.Key) }})
	}
	checkpoints, err := b.List(ctx, "checkpoints/")
	if err != nil {
		return nil, fmt.Errorf("runs: listing %s: %w", s.URL, err)
	}
	for _, x := range checkpoints {
		id := strings.TrimPrefix(x.Key, "checkpoints/")
		if _, err := b.Stat(ctx, objectKey(id)); err == nil {
			add(x, "the checkpoint of a run that is finished")
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("runs: reading %s: %w", s.URL, err)
		}
	}
	if !o.Damaged {
		return found, nil
	}
	aside, err := b.List(ctx, "damaged/")
	if err != nil {
		return nil, fmt.Errorf("runs: listing %s: %w", s.URL, err)
	}
	for _, x := range aside {
		add(x, "a damaged run that was set aside")
	}
	return found, nil
}
