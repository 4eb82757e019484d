// Package supervisor ends a kernel's processes with the kernel. The kernel starts them
// with Start, which gives each a session of its own, recorded in the private folder,
// and a mark in its environment that their children inherit. At the kernel's end every
// process that has the mark or belongs to a recorded session is killed, and the folder
// is removed. A watcher, a process in a session of its own, holds one end of a pipe and
// does the same when the kernel's process has ended for any reason. If the watcher is
// killed, the kernel starts another one; if both are killed, the next kernel of the
// user finds the folder by its lock and cleans up. A process that has neither the mark
// nor the session, because it was started with a cleared environment by setsid, is not
// found; one that forks and ends without pause, each time in a new session, can escape.
// Linux only (/proc).
package supervisor

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// MarkEnv is the environment variable whose value is the kernel's mark.
const MarkEnv = "METAMERS_KERNEL_MARK"

const (
	prefix   = "metamers-kernel-"
	lockName = "lock"

	sessionsName = "sessions"
)

// A Supervisor is the folder, the mark and the watcher of one kernel.
type Supervisor struct {
	Dir  string
	Mark string
	lock *os.File

	mu       sync.Mutex // held while a process is started
	sessions *os.File   // one line a process of Start: pid and start time
	closed   bool
}

// ErrClosed is returned by Start after Close.
var ErrClosed = errors.New("the kernel is shutting down")

// Start starts a command in a session of its own, with the mark in its environment.
// After Close it starts nothing and returns ErrClosed.
func (l *Supervisor) Start(cmd *exec.Cmd) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	cmd.Env = append(cmd.Environ(), MarkEnv+"="+l.Mark)
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setsid = true
	for unstarted := *cmd; ; *cmd = unstarted {
		if err := cmd.Start(); err != nil {
			return err
		}
		p, _, ok := readProcess(cmd.Process.Pid)
		if !ok {
			return nil
		}
		if !p.forked {
			fmt.Fprintf(l.sessions, "%d %s\n", p.pid, p.start)
			return nil
		}
		// An interrupt of the kernel's process group can end it before it runs its program.
		err := cmd.Wait()
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGINT {
			return fmt.Errorf("%s ended before it ran: %w", cmd.Path, err)
		}
	}
}

// New removes what dead kernels of this user left, makes a folder, and starts a
// watcher: the program and arguments watch, followed by folder and mark.
func New(watch ...string) (*Supervisor, error) {
	base := base()
	cleanStale(base)
	dir, err := os.MkdirTemp(base, fmt.Sprintf("%s%d-", prefix, os.Getuid()))
	if err != nil {
		return nil, fmt.Errorf("the kernel's private folder: %w", err)
	}
	var b [16]byte
	rand.Read(b[:])
	l := &Supervisor{Dir: dir, Mark: hex.EncodeToString(b[:])}
	if err := l.start(watch); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return l, nil
}

func (l *Supervisor) start(watch []string) (err error) {
	// The mark is in the lock file before the lock is visible under its name.
	tmp := filepath.Join(l.Dir, lockName+".new")
	if l.lock, err = os.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		return err
	}
	if err = syscall.Flock(int(l.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("locking %s: %w", tmp, err)
	}
	if _, err = l.lock.WriteString(l.Mark); err != nil {
		return err
	}
	if l.sessions, err = os.OpenFile(filepath.Join(l.Dir, sessionsName), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600); err != nil {
		return err
	}
	if err = os.Rename(tmp, filepath.Join(l.Dir, lockName)); err != nil {
		return err
	}
	return l.startWatcher(watch)
}

func (l *Supervisor) startWatcher(watch []string) error {
	if len(watch) == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd := exec.Command(watch[0], append(watch[1:len(watch):len(watch)], l.Dir, l.Mark)...)
	cmd.Stdin = r
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		w.Close()
		return fmt.Errorf("starting the watcher: %w", err)
	}
	go func() {
		cmd.Wait() // w stays open until then, or until this process has ended
		w.Close()
		time.Sleep(100 * time.Millisecond) // between two that end at once
		l.startWatcher(watch)
	}()
	return nil
}

// Watch is the watcher: it waits for the end of standard input, then cleans up.
func Watch(dir, mark string) {
	buf := make([]byte, 1)
	for {
		if _, err := os.Stdin.Read(buf); err != nil {
			break
		}
	}
	Clean(dir, mark)
	// So that a kernel that is killed while it cleans up after others leaves nothing of them.
	cleanStale(filepath.Dir(dir))
}

// Close kills all that Start started and its descendants, and removes the folder. Nothing
// that was started before Close returns outlives it. When this process has ended, the watcher
// removes what was written into the folder after Close.
func (l *Supervisor) Close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	Clean(l.Dir, l.Mark)
	l.lock.Close()
	l.sessions.Close()
	// A kernel that was being killed when this one started held its lock still.
	cleanStale(filepath.Dir(l.Dir))
}

// How long Clean looks again: while processes of the kernel live, and while others come
// and go that could be of the kernel.
const (
	killTime   = 5 * time.Second
	settleTime = time.Second
)

// Clean kills all processes of the kernel with this folder and mark, and removes the
// folder. One look is not enough: a process that was forked or executed an instant ago
// may be missing in it, so Clean ends only after two looks at a list in which nothing
// changed and nothing was found.
func Clean(dir, mark string) {
	began := time.Now()
	for calm := 0; calm < 2; {
		found, unsettled := family(dir, mark)
		for _, pid := range found {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		past := time.Since(began)
		switch {
		case len(found) > 0 && past < killTime, unsettled && past < settleTime:
			calm = 0
			time.Sleep(2 * time.Millisecond)
		default:
			calm++
		}
	}
	if strings.HasPrefix(filepath.Base(dir), prefix) {
		remove(dir)
	}
}

// remove removes the folder of a kernel. The lock goes last: as long as it is there, the next
// kernel can tell that the owner of the folder is dead, and remove the rest.
func remove(dir string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.Name() != lockName && os.RemoveAll(filepath.Join(dir, e.Name())) != nil {
			return // the next one that cleans up tries again
		}
	}
	os.RemoveAll(dir)
}

// family returns the processes of a kernel, the newest first, and whether there are
// others of which cannot be told yet: they ended while it looked, or are being executed.
func family(dir, mark string) (pids []int, unsettled bool) {
	if mark == "" {
		return nil, false
	}
	list, vanished := processes()
	unsettled = vanished > 0
	sessions := recorded(dir)
	want := []byte(MarkEnv + "=" + mark)
	for _, p := range list {
		if p.exiting {
			continue
		}
		if sessions[p.session] {
			pids = append(pids, p.pid)
			continue
		}
		env, err := os.ReadFile("/proc/" + strconv.Itoa(p.pid) + "/environ")
		switch {
		case os.IsPermission(err): // another user's
		case err != nil:
			unsettled = true
		case len(env) == 0:
			unsettled = unsettled || p.starting
		case slices.ContainsFunc(bytes.Split(env, []byte{0}), func(v []byte) bool { return bytes.Equal(v, want) }):
			pids = append(pids, p.pid)
		}
	}
	return pids, unsettled
}

// recorded returns the sessions that Start made. The system gives the number of a
// session to no new process before all of the session have ended: one whose leader
// started at another time is not the kernel's.
func recorded(dir string) map[int]bool {
	data, _ := os.ReadFile(filepath.Join(dir, sessionsName))
	sessions := map[int]bool{}
	for line := range strings.Lines(string(data)) {
		var pid int
		var start string
		if n, _ := fmt.Sscan(line, &pid, &start); n != 2 {
			continue
		}
		if leader, _, ok := readProcess(pid); !ok || leader.start == start {
			sessions[pid] = true
		}
	}
	return sessions
}

// base is the folder for private folders: short, because sockets lie in them.
func base() string {
	if d := os.Getenv("XDG_RUNTIME_DIR"); d != "" && len(d) < 40 {
		if info, err := os.Stat(d); err == nil && info.IsDir() {
			return d
		}
	}
	if d := os.TempDir(); len(d) < 40 {
		return d
	}
	return "/tmp"
}

// cleanStale cleans up after kernels of this user whose lock nobody holds.
func cleanStale(base string) {
	dirs, _ := filepath.Glob(filepath.Join(base, fmt.Sprintf("%s%d-*", prefix, os.Getuid())))
	for _, dir := range dirs {
		f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR, 0)
		if err != nil { // just being made, or left before it was
			if info, err := os.Stat(dir); err == nil && time.Since(info.ModTime()) > time.Minute {
				os.RemoveAll(dir)
			}
			continue
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			if mark, err := os.ReadFile(f.Name()); err == nil {
				Clean(dir, string(mark))
			}
		}
		f.Close()
	}
}
