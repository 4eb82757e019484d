package lifeline

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// marked starts a sleep with the mark.
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

func ended(cmd *exec.Cmd) bool {
	done := make(chan struct{})
	go func() { cmd.Wait(); close(done) }()
	select {
	case <-done:
		return true
	case <-time.After(5 * time.Second):
		return false
	}
}

func TestClose(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "")
	t.Setenv("TMPDIR", "/tmp")
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	mine, other := marked(t, l.Mark), marked(t, l.Mark+"0")
	l.Close()
	if !ended(mine) {
		t.Error("a process with the mark lives")
	}
	if other.Process.Signal(syscall.Signal(0)) != nil {
		t.Error("a process with another mark was killed")
	}
	if _, err := os.Stat(l.Dir); !os.IsNotExist(err) {
		t.Errorf("the folder is there: %v", err)
	}
}

// TestStale: a folder whose lock nobody holds is cleaned up by the next kernel, one
// whose lock is held is not.
func TestStale(t *testing.T) {
	base, err := os.MkdirTemp("/tmp", "ll") // short, as base demands
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(base)
	t.Setenv("XDG_RUNTIME_DIR", base)
	dead, err := New()
	if err != nil {
		t.Fatal(err)
	}
	left := marked(t, dead.Mark)
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
	if !ended(left) {
		t.Error("a process of the dead kernel lives")
	}
	if _, err := os.Stat(dead.Dir); !os.IsNotExist(err) {
		t.Errorf("the dead kernel's folder is there: %v", err)
	}
	if _, err := os.Stat(living.Dir); err != nil {
		t.Errorf("the living kernel's folder: %v", err)
	}
}

func TestStop(t *testing.T) {
	cmd := exec.Command("sh", "-c", "trap '' INT; sleep 100 & wait; sleep 100")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond)
	over := make(chan struct{})
	defer close(over)
	go Stop(func() []int { return append(Descendants(cmd.Process.Pid, nil), cmd.Process.Pid) }, 100*time.Millisecond, over)
	if !ended(cmd) {
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
	cmd := exec.Command("sh", "-c", "n=0; trap 'n=$((n+1))' INT; echo; while [ $n = 0 ]; do sleep .01; done; sleep .2; exit $n")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out.Read(make([]byte, 1)) // the trap is set
	looked <- cmd.Process.Pid
	if !ended(cmd) {
		t.Fatal("a process that came later was not interrupted")
	}
	if n := cmd.ProcessState.ExitCode(); n != 1 {
		t.Errorf("interrupted %d times", n)
	}
}
