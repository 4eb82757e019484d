//go:build unix

package runs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
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

// long is how long a test of faults lasts: briefly, or with METAMERS_LONG=1 for two
// minutes.
func long(brief time.Duration) (end time.Time, isLong bool) {
	if os.Getenv("METAMERS_LONG") == "1" {
		return time.Now().Add(2 * time.Minute), true
	}
	return time.Now().Add(brief), false
}

func TestFaultKilledAtAnyMoment(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	end, isLong := long(6 * time.Second)
	kills, made := 0, 0
	for time.Now().Before(end) && (kills < 40 || made == 0 || isLong) {
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

// TestFaultOneBit changes one bit of one file of a store, again and again: a run, a
// checkpoint or rows that are not what was written are known for it and made again.
func TestFaultOneBit(t *testing.T) {
	end, isLong := long(time.Second)
	seed := uint64(1)
	if isLong {
		seed = uint64(time.Now().UnixNano())
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	s := open(t)
	finish(t, s, sample(1))
	dir, key := filepath.Join(s.Dir, sample(1).ID), "0123456789abcdef"
	rows := metamer.Rows{{Run: "r", Measure: "x", Image: -1, Value: 0.125}}
	hit := map[string]int{}
	for time.Now().Before(end) {
		if err := KeepRows(dir, key, rows); err != nil {
			t.Fatal(err)
		}
		w := begin(t, s, sample(2))
		if err := errors.Join(w.Save(Checkpoint{Arrays: map[string][]float32{"x": {1, 2, 3}}, State: []byte("7")}), w.Close()); err != nil {
			t.Fatal(err)
		}
		var files []string
		filepath.WalkDir(s.Dir, func(p string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() && !strings.HasSuffix(p, ".lock") && !strings.Contains(p, ".damaged-") {
				files = append(files, p)
			}
			return err
		})
		file := files[rng.IntN(len(files))]
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		data[rng.IntN(len(data))] ^= 1 << rng.IntN(8)
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
		what := fmt.Sprintf("seed %d: a bit of %s", seed, file)
		var bad *CorruptError
		switch {
		case strings.HasSuffix(file, ".checkpoint"):
			hit["checkpoints"]++
			w := begin(t, s, sample(2))
			if c, err := w.Restore(); c != nil || err == nil {
				t.Fatalf("%s: %v, %v", what, c, err)
			}
			w.Close()
		case filepath.Base(filepath.Dir(file)) == "rows":
			hit["rows"]++
			if got, _, err := ReadRows(dir, key); !errors.As(err, &bad) {
				t.Fatalf("%s: %v, %v", what, got, err)
			}
		default:
			hit["runs"]++
			if _, err := s.Load(sample(1).ID); !errors.As(err, &bad) {
				t.Fatalf("%s: %v", what, err)
			}
			finish(t, s, sample(1)) // set aside, made again
			if c := s.Verify(t.Context(), sample(1).ID); c.State != Whole {
				t.Fatalf("%s: %+v", what, c)
			}
			found, err := s.Garbage(t.Context(), GC{Damaged: true})
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range found {
				if err := g.Remove(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	t.Logf("seed %d, bits changed: %v, none unseen", seed, hit)
}

// No bit of a manifest can change unseen, though no sum is kept of it.
func TestOneBitOfTheManifest(t *testing.T) {
	s := open(t)
	finish(t, s, sample(1))
	dir := filepath.Join(s.Dir, sample(1).ID)
	path := filepath.Join(dir, manifestName)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 8 * len(data) {
		changed := bytes.Clone(data)
		changed[i/8] ^= 1 << (i % 8)
		if err := os.WriteFile(path, changed, 0o644); err != nil {
			t.Fatal(err)
		}
		var bad *CorruptError
		if err := verify(dir); !errors.As(err, &bad) {
			t.Errorf("bit %d of %q: %v", i%8, data[i/8:min(i/8+8, len(data))], err)
		}
	}
	if err := errors.Join(os.WriteFile(path, data, 0o644), verify(dir)); err != nil {
		t.Error(err)
	}
}
