package runs

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// sample is a small run whose numbers are hard to write down.
func sample(seed uint64) *metamer.Run {
	r := metamer.Recipe{
		Models: []metamer.ModelRef{{Name: "a", Layer: "l"}, {Name: "b", Layer: "l"}},
		Stage:  "late", Images: metamer.ImageRef{Name: "x", Count: 2, Size: 4}, Seed: seed,
	}.WithDefaults()
	run := &metamer.Run{
		ID: r.ID(), Recipe: r, Names: []string{"../b c", "magpie"}, StepsRun: 20, Seconds: 1.0 / 3, Stopped: "because",
		Statistics: []metamer.MatchStatistics{{Image: 0, Member: "a", Loss: 0.1, Pearson: 1.0 / 3, SNR: -300, Verdict: "pass"}, {Image: 1, Member: "a", Loss: math.MaxFloat64, Verdict: "fail", Why: "w"},
			{Image: 0, Member: "b", Verdict: "fail"}, {Image: 1, Member: "b", Verdict: "none"}},
		Nulls: []metamer.Null{{Member: "a", Pairs: 2, Pearson: 0.7}},
		Trace: metamer.Trace{Step: []int{0, 0, 1}, Member: []int{0, 1, 0}, Image: []int{0, 0, 1},
			Loss: [][]float32{{1.0 / 3, float32(math.NaN())}, {math.SmallestNonzeroFloat32, math.MaxFloat32}, {float32(math.Inf(1))}}},
	}
	for i := range 2 * 4 * 4 * 3 {
		run.Metamers = append(run.Metamers, float32(i)/97)
		run.Start = append(run.Start, float32(math.Sqrt(float64(i)))/10)
	}
	return run
}

func open(t testing.TB) *Store {
	t.Helper()
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func begin(t testing.TB, s *Store, run *metamer.Run) *Work {
	t.Helper()
	w, there, err := s.Begin(t.Context(), run.Recipe)
	if err != nil || there != nil {
		t.Fatalf("Begin gives run %v, error %v, expected work to do", there, err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func finish(t testing.TB, s *Store, run *metamer.Run) {
	t.Helper()
	w := begin(t, s, run)
	extra := map[string]func(string) error{"plots/loss.txt": func(p string) error { return os.WriteFile(p, []byte("x"), 0o600) }}
	if err := errors.Join(w.Finish(run, extra), w.Close()); err != nil {
		t.Fatal(err)
	}
}

// bits makes NaN comparable.
func bits(v []float32) (out []uint32) {
	for _, f := range v {
		out = append(out, math.Float32bits(f))
	}
	return out
}

func TestRoundTrip(t *testing.T) {
	s, run := open(t), sample(1)
	finish(t, s, run)
	_, got, err := s.Begin(t.Context(), run.Recipe)
	if err != nil {
		t.Fatal(err)
	}
	if !got.Cached || !reflect.DeepEqual(bits(got.Metamers), bits(run.Metamers)) || !reflect.DeepEqual(bits(got.Start), bits(run.Start)) {
		t.Error("the pixels that came back are others")
	}
	for i := range run.Trace.Loss {
		if !reflect.DeepEqual(bits(got.Trace.Loss[i]), bits(run.Trace.Loss[i])) {
			t.Errorf("trace row %d is %v, expected %v", i, got.Trace.Loss[i], run.Trace.Loss[i])
		}
	}
	want, have := *run, *got
	for _, r := range []*metamer.Run{&want, &have} {
		r.Cached, r.Metamers, r.Start, r.Trace.Loss = false, nil, nil, nil
	}
	if !reflect.DeepEqual(have, want) {
		t.Errorf("loaded %+v\nexpected %+v", have, want)
	}
	for _, f := range []string{"previews/001_magpie.png", "plots/loss.txt"} {
		if _, err := os.Stat(filepath.Join(got.Dir, f)); err != nil {
			t.Error(err)
		}
	}
}

func TestDamagedRun(t *testing.T) {
	for _, name := range []string{"recipe.json", "evidence.json", "trace.csv", "metamers.safetensors", "start.safetensors", "previews/000_.._b_c.png", "manifest.json"} {
		for what, hurt := range map[string]func([]byte) []byte{
			"one bit": func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
			"short":   func(b []byte) []byte { return b[:len(b)/2] },
			"gone":    func([]byte) []byte { return nil },
		} {
			s, run := open(t), sample(1)
			finish(t, s, run)
			p := filepath.Join(run.Dir, name)
			data, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			if data = hurt(data); data == nil {
				err = os.Remove(p)
			} else {
				err = os.WriteFile(p, data, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Load(run.ID)
			if c := (*CorruptError)(nil); !errors.As(err, &c) || c.Dir != run.Dir {
				t.Errorf("%s, %s: Load gives %v, expected a *CorruptError", name, what, err)
			}
			if c := s.Verify(t.Context(), run.ID); len(c.Problems) == 0 == (c.State != NoManifest) || c.State == Whole || (c.State == NoManifest) != (name == manifestName && what == "gone") {
				t.Errorf("%s, %s: Verify gives %+v", name, what, c)
			}
			// It is set aside, whatever hurt it, and made again.
			w := begin(t, s, run)
			if len(w.Notes) != 1 || !strings.Contains(w.Notes[0], "set aside as .damaged-"+run.ID) {
				t.Errorf("%s, %s: Begin notes %q", name, what, w.Notes)
			}
			if err := w.Finish(sample(1), nil); err != nil {
				t.Errorf("%s, %s: made again: %v", name, what, err)
			}
			if c := s.Verify(t.Context(), run.ID); c.State != Whole {
				t.Errorf("%s, %s: made again, Verify gives %+v", name, what, c)
			}
		}
	}
}

func TestNames(t *testing.T) {
	s := open(t)
	for seed := range uint64(20) { // of 20 IDs two begin alike
		finish(t, s, sample(seed))
	}
	ids, err := s.IDs()
	if err != nil || len(ids) != 20 {
		t.Fatalf("%d runs, %v, expected 20", len(ids), err)
	}
	if got, err := s.Resolve(ids[3][:12]); got != ids[3] || err != nil {
		t.Errorf("Resolve gives %q, %v", got, err)
	}
	if _, err := s.Resolve("zz"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("unknown prefix: %v", err)
	}
	if _, err := s.Resolve(""); err == nil {
		t.Error("the empty prefix stands for a run")
	}
	count := map[byte]int{}
	for _, id := range ids {
		if count[id[0]]++; count[id[0]] == 2 {
			if _, err := s.Resolve(id[:1]); err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), id) {
				t.Errorf("ambiguous prefix: %v, expected the runs' names", err)
			}
		}
	}
	if _, err := s.Load("0123456789abcdef"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load of no run: %v", err)
	}
	beside := filepath.Join(s.Dir, "..", "precious")
	if err := os.Mkdir(beside, 0o755); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(beside)
	for _, bad := range []string{"", ".", "..", "../precious", ids[0][:8]} {
		if err := s.Remove(bad); err == nil {
			t.Errorf("Remove(%q) gives no error", bad)
		}
	}
	if _, err := os.Stat(beside); err != nil {
		t.Error(err)
	}
	// A removal that was killed does not hinder the next.
	if err := os.MkdirAll(filepath.Join(s.Dir, ".gone-"+ids[0]+"-1", "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(ids[0]); err != nil {
		t.Error(err)
	}
	if _, err := s.Load(ids[0]); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load of a removed run: %v", err)
	}
}

func TestBeginWaits(t *testing.T) {
	s, run := open(t), sample(1)
	begin(t, s, run)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := s.Begin(ctx, run.Recipe); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), run.ID) {
		t.Errorf("a second Begin gives %v, expected the end of its patience", err)
	}
	begin(t, s, sample(2)) // another run is not held up
}

func TestOpenWhereNothingCanBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(filepath.Join(file, "runs")); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a store inside a file: %v", err)
	}
	locked := t.TempDir()
	if err := os.Chmod(locked, 0o555); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		t.Skip("root may write into a read-only folder")
	}
	s, err := Open(locked) // for reading
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Begin(t.Context(), sample(1).Recipe); err == nil || !strings.Contains(err.Error(), "not writable") {
		t.Errorf("a read-only folder: %v", err)
	}
}

func TestNoSpace(t *testing.T) {
	s, run := open(t), sample(1)
	w := begin(t, s, run)
	if err := w.Save(Checkpoint{State: []byte("7")}); err != nil {
		t.Fatal(err)
	}
	full := map[string]func(string) error{"sheet.png": func(p string) error {
		return &fs.PathError{Op: "write", Path: p, Err: syscall.ENOSPC}
	}}
	err := w.Finish(run, full)
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), run.ID) {
		t.Errorf("Finish gives %v, expected no space", err)
	}
	if _, err := s.Load(run.ID); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after no space Load gives %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(s.Dir, ".*part*")); len(left) > 0 {
		t.Errorf("no space leaves %v", left)
	}
	if c, err := w.Restore(); c == nil || err != nil || string(c.State) != "7" {
		t.Errorf("the checkpoint after no space is %v, %v", c, err)
	}
	if err := w.Finish(run, nil); err != nil {
		t.Errorf("the second try: %v", err)
	}
}
