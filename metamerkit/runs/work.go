package runs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Work is the right to make one run. If the folder supports locks, only one process has it
// at a time.
type Work struct {
	ID string
	// Notes say what was found that the user should know: a damaged run set aside, a
	// folder without locks.
	Notes []string
	// Warn, if set, is told what went wrong without ending the work, such as a
	// checkpoint that did not reach the object store.
	Warn func(string)

	store *Store
	lock  *flock.Flock // nil: the folder has no locks
	done  bool
}

// Begin takes the lock of a run and waits until ctx ends while another process holds it. If
// the run is stored, Begin returns it and no work. A damaged run is set aside under another
// name, and there is work.
func (s *Store) Begin(ctx context.Context, r metamer.Recipe) (*Work, *metamer.Run, error) {
	w := &Work{ID: r.ID(), store: s}
	if run, err := s.Stored(ctx, w.ID); err == nil || !Missing(err) {
		return nil, run, err // at once, also in a folder that is read-only
	}
	if err := s.writable(); err != nil {
		return nil, nil, err
	}
	if err := w.take(ctx); err != nil {
		return nil, nil, err
	}
	run, err := s.Stored(ctx, w.ID)
	var bad *CorruptError
	for range 3 { // another process may do the same
		if !errors.As(err, &bad) {
			break
		}
		var aside string
		if aside, err = s.setAside(ctx, w.ID, bad); err != nil {
			break
		}
		if aside != "" {
			w.Notes = append(w.Notes, fmt.Sprintf("%v; it was set aside as %s and is made again", bad, aside))
		}
		run, err = s.Stored(ctx, w.ID)
	}
	if err == nil {
		w.done = true
		return nil, run, w.Close()
	}
	if errors.Is(err, fs.ErrNotExist) {
		if err = s.sweep(w.ID); err == nil {
			return w, nil, nil
		}
		err = fmt.Errorf("runs: removing what was left of run %s: %w", w.ID, err)
	}
	return nil, nil, errors.Join(err, w.Close())
}

// Stored returns a stored run with Cached set. Its errors are those of Load.
func (s *Store) Stored(ctx context.Context, id string) (*metamer.Run, error) {
	run, err := s.LoadContext(ctx, id)
	if err != nil {
		return nil, err
	}
	run.Cached = true
	return run, s.published(ctx, id)
}

// Missing reports whether an error of Load, Stored or ReadRows means that the run or rows
// have to be made: they do not exist or are damaged.
func Missing(err error) bool {
	var bad *CorruptError
	return errors.Is(err, fs.ErrNotExist) || errors.As(err, &bad)
}

// take locks. Who opens a lock file that is removed before it is locked holds the
// lock of a file that nobody else sees, so it looks again.
func (w *Work) take(ctx context.Context) error {
	if w.store.noLocks {
		w.lockless(syscall.ENOLCK)
		return nil
	}
	path := filepath.Join(w.store.Dir, "."+w.ID+".lock")
	for {
		if err := ctx.Err(); err != nil { // nobody was waited for
			return fmt.Errorf("runs: making run %s: %w", w.ID, err)
		}
		l := flock.New(path)
		if _, err := l.TryLockContext(ctx, 100*time.Millisecond); err != nil {
			l.Close()
			if ctx.Err() != nil {
				return fmt.Errorf("runs: waiting for another process that makes run %s: %w", w.ID, err)
			}
			if errors.Is(err, syscall.ENOLCK) || errors.Is(err, errors.ErrUnsupported) {
				w.lockless(err)
				return nil
			}
			return fmt.Errorf("runs: locking run %s: %w", w.ID, err)
		}
		if named(l) {
			w.lock = l
			return nil
		}
		l.Close()
	}
}

// named reports whether the file of a lock still has its name.
func named(l *flock.Flock) bool {
	mine, e1 := l.Stat()
	now, e2 := os.Stat(l.Path())
	return e1 == nil && e2 == nil && os.SameFile(mine, now)
}

func (w *Work) lockless(err error) {
	w.Notes = append(w.Notes, fmt.Sprintf("%s has no locks (%v): two processes that make the same run would both do its work", w.store.Dir, err))
}

// Close releases the lock. It removes the lock file of a finished run and keeps that of an
// unfinished run.
func (w *Work) Close() error {
	if w.lock == nil {
		return nil
	}
	if w.done {
		os.Remove(w.lock.Path()) // fails where open files cannot be removed; gc does it then
	}
	return w.lock.Close()
}

// setAside renames a damaged run, so that it can be looked at and made again. It
// returns the new name, "" when there is none to set aside: another process that saw
// the same damage may have been faster and even have made the run anew, which then
// stays.
func (s *Store) setAside(ctx context.Context, id string, bad *CorruptError) (string, error) {
	if bad.remote {
		return s.setAsideObject(ctx, id)
	}
	from := filepath.Join(s.Dir, id)
	aside := filepath.Join(s.Dir, fmt.Sprintf(".damaged-%s-%d", id, time.Now().UnixNano()))
	if err := os.Rename(from, aside); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return "", nil
		}
		return "", fmt.Errorf("runs: setting the damaged run %s aside: %w", id, err)
	}
	if verify(aside) == nil && os.Rename(aside, from) == nil {
		return "", nil
	}
	return filepath.Base(aside), nil
}
