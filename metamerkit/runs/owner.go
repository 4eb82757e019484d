package runs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Temporary folders are named by who made them, .<id>.part-<machine>-<pid>-<random>,
// so that others can tell whether their maker may still be writing there. (Locks
// cannot say so on every network folder.)

// machine stands for this machine since it started, and for this view of its
// processes: only where both are the same does a process number mean anything.
var machine = sync.OnceValue(func() string {
	host, _ := os.Hostname()
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	namespace, _ := os.Readlink("/proc/self/ns/pid")
	return digest([]byte(host + string(boot) + namespace))[:12]
})

var partForm = regexp.MustCompile(`^\.[0-9a-f]{16}\.part-([0-9a-f]{12})-([0-9]+)-[0-9]+$`)

// partFolder makes a temporary folder for a run. It is renamed into place, so it
// lies beside what it becomes.
func (s *Store) partFolder(id string) (string, error) {
	if s.URL != "" { // the folder of what is read may not be there yet
		if err := errors.Join(os.MkdirAll(s.Dir, 0o755), s.mark()); err != nil {
			return "", fmt.Errorf("runs: %w", err)
		}
	}
	tmp, err := os.MkdirTemp(s.Dir, fmt.Sprintf(".%s.part-%s-%d-", id, machine(), os.Getpid()))
	if err != nil {
		return "", fmt.Errorf("runs: %w", err)
	}
	return tmp, os.Chmod(tmp, 0o755)
}

// abandoned reports whether nobody writes in a temporary folder any more: its maker
// is a process of this machine that has ended, or nothing in it has changed for the
// given time.
func abandoned(path string, after time.Duration) bool {
	if m := partForm.FindStringSubmatch(filepath.Base(path)); m != nil && m[1] == machine() {
		if pid, err := strconv.Atoi(m[2]); err == nil && !running(pid) {
			return true
		}
	}
	newest := time.Time{}
	filepath.WalkDir(path, func(_ string, e os.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if info, err := e.Info(); err == nil && info.ModTime().After(newest) {
			newest = info.ModTime()
		}
		return nil
	})
	return !newest.IsZero() && time.Since(newest) > after
}

// forgotten is how long a temporary file of another machine lies untouched until a
// run's next maker takes it for dead: no run's files take that long to write.
const forgotten = 24 * time.Hour

// sweep removes what a killed process left half-written of a run.
func (s *Store) sweep(id string) error {
	left, err := s.parts("." + id + ".part-")
	if err != nil {
		return err
	}
	for _, p := range left {
		if abandoned(p, forgotten) {
			if err := os.RemoveAll(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// parts are the paths of the store's folder that begin with prefix.
func (s *Store) parts(prefix string) (out []string, err error) {
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		return nil, fmt.Errorf("runs: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			out = append(out, filepath.Join(s.Dir, e.Name()))
		}
	}
	return out, nil
}
