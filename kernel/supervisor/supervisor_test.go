package supervisor

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// open makes a supervisor in a folder of its own.
func open(t *testing.T) *Supervisor {
	t.Helper()
	folder(t)
	return mustNew(t)
}

// folder makes a folder in which supervisors of this test make theirs.
func folder(t *testing.T) string {
	t.Helper()
	base, err := os.MkdirTemp("/tmp", "ll") // short, as base demands
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	t.Setenv("XDG_RUNTIME_DIR", base)
	return base
}

func mustNew(t *testing.T) *Supervisor {
	t.Helper()
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// marked starts a sleep with the mark, but not by Start.
func marked(t *testing.T, mark string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "100")
	cmd.Env = append(os.Environ(), MarkEnv+"="+mark)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	return cmd
}

// killed waits for a process and reports whether it was killed.
func killed(cmd *exec.Cmd) bool {
	cmd.Wait()
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

func TestClose(t *testing.T) {
	l := open(t)
	mine, other := marked(t, l.Mark), marked(t, l.Mark+"0")
	l.Close()
	if !killed(mine) {
		t.Error("a process with the mark lives")
	}
	if other.Process.Signal(syscall.Signal(0)) != nil {
		t.Error("a process with another mark was killed")
	}
	if _, err := os.Stat(l.Dir); !os.IsNotExist(err) {
		t.Errorf("the folder is there: %v", err)
	}
	if err := l.Start(exec.Command("true")); !errors.Is(err, ErrClosed) {
		t.Errorf("Start after Close: %v, want ErrClosed", err)
	}
}

// Programs are executed while Close looks for them: each is refused or killed.
func TestCloseWhileStarting(t *testing.T) {
	for range 20 {
		l := open(t)
		var started sync.WaitGroup
		cmds := make([]*exec.Cmd, 8)
		for i := range cmds {
			started.Go(func() {
				cmd := exec.Command("sleep", "100")
				if l.Start(cmd) == nil {
					cmds[i] = cmd
				}
			})
		}
		l.Close()
		started.Wait()
		for _, cmd := range cmds {
			if cmd != nil && !killed(cmd) {
				t.Error("a process that was started before Close lives")
			}
		}
	}
}

// Descendants that leave their parents, the session, or the mark behind.
func TestCloseDescendants(t *testing.T) {
	for name, script := range map[string]string{
		"double fork":         `(sleep 100 & echo $! >>$OUT)`,
		"session":             `setsid sh -c 'echo $$ >>$OUT; exec sleep 100' & wait`,
		"cleared environment": `(env -i sleep 100 & echo $! >>$OUT)`,
	} {
		t.Run(name, func(t *testing.T) {
			l := open(t)
			out := filepath.Join(t.TempDir(), "pids")
			cmd := exec.Command("sh", "-c", script)
			cmd.Env = append(os.Environ(), "OUT="+out)
			if err := l.Start(cmd); err != nil {
				t.Fatal(err)
			}
			var data []byte
			for ; !strings.HasSuffix(string(data), "\n"); time.Sleep(time.Millisecond) {
				data, _ = os.ReadFile(out)
			}
			l.Close()
			cmd.Wait()
			for line := range strings.Lines(string(data)) {
				var pid int
				fmt.Sscan(line, &pid)
				if p, state, ok := readProcess(pid); ok && state != "Z" && !p.exiting {
					t.Errorf("process %d lives: state %s", pid, state)
				}
			}
			if pids, _ := family(l.Dir, l.Mark); len(pids) > 0 {
				t.Errorf("processes %d have the mark after Close", pids)
			}
		})
	}
}

// TestStale: a folder whose lock nobody holds is cleaned up by the next kernel, one
// whose lock is held is not.
func TestStale(t *testing.T) {
	dead := open(t)
	left := marked(t, dead.Mark)
	bare := exec.Command("env", "-i", "sleep", "100")
	if err := dead.Start(bare); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(filepath.Join(dead.Dir, "file"), nil, 0o600)
	living, err := New()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dead.Dir); err != nil {
		t.Fatalf("a folder in use was removed: %v", err)
	}
	dead.lock.Close() // as the system does when a kernel dies
	next, err := New()
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	defer living.Close()
	if !killed(left) || !killed(bare) {
		t.Error("a process of the dead kernel lives")
	}
	if _, err := os.Stat(dead.Dir); !os.IsNotExist(err) {
		t.Errorf("the dead kernel's folder is there: %v", err)
	}
	if _, err := os.Stat(living.Dir); err != nil {
		t.Errorf("the living kernel's folder: %v", err)
	}
}

// A watcher removes what other dead kernels left too: its kernel may have been killed while it
// did so.
func TestWatchStale(t *testing.T) {
	dead, killed := open(t), mustNew(t)
	dead.lock.Close()
	killed.lock.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	stdin := os.Stdin
	os.Stdin = r
	defer func() { os.Stdin = stdin }()
	Watch(killed.Dir, killed.Mark)
	for _, l := range []*Supervisor{dead, killed} {
		if _, err := os.Stat(l.Dir); !os.IsNotExist(err) {
			t.Errorf("the folder %s is there: %v", l.Dir, err)
		}
	}
}

// A kernel whose goroutines write into its folder after Close leaves nothing either: the
// watcher removes it when the process has ended.
func TestWriteAfterClose(t *testing.T) {
	switch args := flag.Args(); os.Getenv("SUPERVISOR_TEST") {
	case "watcher":
		Watch(args[0], args[1])
		return
	case "kernel":
		os.Setenv("SUPERVISOR_TEST", "watcher")
		l, err := New(os.Args[0], "-test.run=^TestWriteAfterClose$")
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		if err := os.MkdirAll(filepath.Join(l.Dir, "module"), 0o700); err != nil {
			t.Fatal(err)
		}
		return
	}
	base := folder(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestWriteAfterClose$")
	cmd.Env = append(os.Environ(), "SUPERVISOR_TEST=kernel")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		left, err := os.ReadDir(base)
		if err != nil {
			t.Fatal(err)
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the folder %s is there", left[0].Name())
		}
	}
}

// A number of a session that another process has got since is not the kernel's.
func TestRecorded(t *testing.T) {
	dir := t.TempDir()
	self, _, ok := readProcess(os.Getpid())
	if !ok {
		t.Fatal("no /proc")
	}
	os.WriteFile(filepath.Join(dir, sessionsName), fmt.Appendf(nil, "%d %s\n%d 1\n", self.pid, self.start, os.Getppid()), 0o600)
	if got := recorded(dir); !got[self.pid] || got[os.Getppid()] {
		t.Errorf("sessions %v, want only %d", got, self.pid)
	}
}

// start runs a shell script and waits for the first line that it writes.
func start(t *testing.T, script string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sh", "-c", script)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out.Read(make([]byte, 1))
	return cmd
}

func TestStop(t *testing.T) {
	cmd := start(t, "trap '' INT; echo; sleep 100 & wait; sleep 100")
	over := make(chan struct{})
	defer close(over)
	go Stop(func() []int { return append(Descendants(cmd.Process.Pid), cmd.Process.Pid) }, 100*time.Millisecond, over)
	if !killed(cmd) {
		t.Error("a process that ignores SIGINT lives")
	}
}

// A process that starts after there was none is stopped too, and none is told twice.
func TestStopNext(t *testing.T) {
	over, looked := make(chan struct{}), make(chan int)
	defer close(over)
	next := 0
	go Stop(func() []int {
		select {
		case next = <-looked:
		default:
		}
		if next == 0 {
			return nil
		}
		return []int{next}
	}, time.Hour, over)
	cmd := start(t, "n=0; trap 'n=$((n+1))' INT; echo; while [ $n = 0 ]; do sleep .01; done; sleep .2; exit $n")
	looked <- cmd.Process.Pid
	cmd.Wait()
	if n := cmd.ProcessState.ExitCode(); n != 1 {
		t.Errorf("interrupted %d times", n)
	}
}

// Jupyter interrupts the process group of the kernel. A process is in it until it has a session
// of its own, and then ends without running its program.
func TestStartInterrupted(t *testing.T) {
	const env = "METAMERS_TEST_INTERRUPTED"
	if os.Getenv(env) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestStartInterrupted$", "-test.v")
		cmd.Env = append(os.Environ(), env+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	l := open(t)
	defer l.Close()
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGINT)
	over := make(chan struct{})
	defer close(over)
	go func() {
		for {
			select {
			case <-over:
				return
			default:
				syscall.Kill(0, syscall.SIGINT)
				time.Sleep(50 * time.Microsecond)
			}
		}
	}()
	for range 300 {
		cmd := exec.Command("true")
		if err := l.Start(cmd); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
}
