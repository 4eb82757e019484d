//go:build unix

package runs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary be the other process of these tests.
func TestMain(m *testing.M) {
	if os.Getenv("RUNS_TEST_DIR") != "" {
		if err := child(os.Getenv("RUNS_TEST_DIR"), os.Getenv("RUNS_TEST_LIMIT") != ""); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child makes sample(1) in 12 steps with a checkpoint behind each, and says what it
// found. With limit, no file may grow beyond 512 bytes when it comes to finishing.
func child(dir string, limit bool) error {
	s, err := Open(dir)
	if err != nil {
		return err
	}
	want := sample(1)
	w, run, err := s.Begin(context.Background(), want.Recipe)
	if err != nil {
		return err
	}
	if run != nil {
		fmt.Println("found")
		return nil
	}
	defer w.Close()
	c, err := w.Restore()
	if err != nil {
		return err // a kill never damages a checkpoint
	}
	step := 0
	if c != nil {
		if step, err = strconv.Atoi(string(c.State)); err != nil {
			return err
		}
		if c.Arrays["step"][0] != float32(step) {
			return fmt.Errorf("the checkpoint mixes steps %d and %v", step, c.Arrays["step"][0])
		}
	}
	for ; step < 12; step++ {
		big := make([]float32, 50_000)
		big[0] = float32(step + 1)
		if err := w.Save(Checkpoint{Arrays: map[string][]float32{"step": big}, State: []byte(strconv.Itoa(step + 1))}); err != nil {
			return err
		}
	}
	if limit {
		signal.Ignore(syscall.SIGXFSZ)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 512, Max: 512}); err != nil {
			return err
		}
	}
	if err := w.Finish(want, nil); err != nil {
		return err
	}
	fmt.Println("made")
	return nil
}

func start(t *testing.T, dir string, env ...string) (*exec.Cmd, *strings.Builder) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), "RUNS_TEST_DIR="+dir), env...)
	out := &strings.Builder{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, out
}

func TestKilledAtAnyMoment(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	end := time.Now().Add(6 * time.Second)
	kills, made := 0, 0
	for time.Now().Before(end) && (kills < 40 || made == 0) {
		s := open(t)
		for {
			cmd, out := start(t, s.Dir)
			pause := time.Duration(rng.IntN(60)) * time.Millisecond
			timer := time.AfterFunc(pause, func() { cmd.Process.Kill() })
			err := cmd.Wait()
			timer.Stop()
			if strings.Contains(out.String(), "error:") {
				t.Fatalf("after a kill: %s", out)
			}
			run, loadErr := s.Load(sample(1).ID)
			if loadErr != nil && !errors.Is(loadErr, fs.ErrNotExist) {
				t.Fatalf("killed after %v: a run that looks finished: %v", pause, loadErr)
			}
			if err == nil && run == nil {
				t.Fatalf("no run though the process ended well: %s", out)
			}
			if run != nil {
				made++
				break
			}
			if kills++; time.Now().After(end) {
				break
			}
		}
	}
	t.Logf("%d kills, %d runs made", kills, made)
	if kills == 0 {
		t.Skip("no process was caught alive")
	}
}

func TestTwoProcesses(t *testing.T) {
	s := open(t)
	a, outA := start(t, s.Dir)
	b, outB := start(t, s.Dir)
	if err := errors.Join(a.Wait(), b.Wait()); err != nil {
		t.Fatal(err, outA, outB)
	}
	if got := outA.String() + outB.String(); strings.Count(got, "made") != 1 || strings.Count(got, "found") != 1 {
		t.Errorf("two processes say %q, expected one to make the run and one to find it", got)
	}
	if _, err := s.Load(sample(1).ID); err != nil {
		t.Error(err)
	}
}

func TestFileSizeLimit(t *testing.T) {
	s := open(t)
	cmd, out := start(t, s.Dir, "RUNS_TEST_LIMIT=1")
	if err := cmd.Wait(); err == nil || !strings.Contains(out.String(), "file too large") {
		t.Errorf("%v, output %q, expected the system's refusal", err, out)
	}
	w := begin(t, s, sample(1))
	if c, err := w.Restore(); err != nil || c == nil || string(c.State) != "12" {
		t.Errorf("the checkpoint is %v, %v, expected step 12", c, err)
	}
}
