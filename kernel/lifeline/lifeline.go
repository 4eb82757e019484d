// Package lifeline sees to it that a kernel leaves nothing behind, however it
// ends. All that it starts carries a mark in its environment, and all that it
// writes lies in one private folder. A watcher, a process in a session of its
// own, holds one end of a pipe: when the kernel has gone, it kills what carries
// the mark and removes the folder. Should the watcher be killed, the kernel starts
// another; should both be, the next kernel of the user finds the folder by its
// lock and cleans up. Linux only (/proc).
package lifeline

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
)

// A Lifeline is the folder, the mark and the watcher of one kernel.
type Lifeline struct {
	Dir  string
	Mark string
	lock *os.File

	mu      sync.Mutex
	pipe    *os.File // the watcher has the other end
	watcher *exec.Cmd
	closed  bool
}

// New removes what dead kernels of this user left, makes a folder, and starts a
// watcher: the program and arguments watch, followed by folder and mark.
func New(watch ...string) (*Lifeline, error) {
	base := base()
	cleanStale(base)
	dir, err := os.MkdirTemp(base, fmt.Sprintf("%s%d-", prefix, os.Getuid()))
	if err != nil {
		return nil, fmt.Errorf("the kernel's private folder: %w", err)
	}
	var b [16]byte
	rand.Read(b[:])
	l := &Lifeline{Dir: dir, Mark: hex.EncodeToString(b[:])}
	if err := l.start(watch); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return l, nil
}

func (l *Lifeline) start(watch []string) (err error) {
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
	if err = os.Rename(tmp, filepath.Join(l.Dir, lockName)); err != nil {
		return err
	}
	return l.startWatcher(watch)
}

func (l *Lifeline) startWatcher(watch []string) error {
	if len(watch) == 0 {
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
	l.mu.Lock()
	l.pipe, l.watcher = w, cmd
	l.mu.Unlock()
	go func() {
		cmd.Wait()
		l.mu.Lock()
		closed := l.closed
		l.mu.Unlock()
		w.Close()
		if !closed {
			time.Sleep(100 * time.Millisecond)
			l.startWatcher(watch)
		}
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
}

// Close kills what carries the mark, removes the folder and ends the watcher.
func (l *Lifeline) Close() {
	l.mu.Lock()
	l.closed = true
	pipe, watcher := l.pipe, l.watcher
	l.mu.Unlock()
	Clean(l.Dir, l.Mark)
	l.lock.Close()
	if pipe != nil {
		pipe.Close()
	}
	if watcher != nil {
		watcher.Process.Kill()
	}
	// A kernel that was being killed when this one started held its lock still.
	cleanStale(filepath.Dir(l.Dir))
}

// Clean kills all processes with the mark and removes the folder.
func Clean(dir, mark string) {
	for range 100 {
		pids := Marked(mark)
		if len(pids) == 0 {
			break
		}
		for _, pid := range pids {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if strings.HasPrefix(filepath.Base(dir), prefix) {
		os.RemoveAll(dir)
	}
}

// Marked returns the processes of this user, zombies and this process apart,
// whose environment has the mark.
func Marked(mark string) (pids []int) {
	if mark == "" {
		return nil
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	want := []byte(MarkEnv + "=" + mark)
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		env, err := os.ReadFile("/proc/" + e.Name() + "/environ")
		if err != nil || len(env) == 0 {
			continue
		}
		for v := range bytes.SplitSeq(env, []byte{0}) {
			if bytes.Equal(v, want) {
				pids = append(pids, pid)
				break
			}
		}
	}
	return pids
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
