package engine

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/paths/pathstest"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
)

// cifar opens CIFAR-10 test images in the order of ../shared/data, or skips.
func cifar(t testing.TB, spec string) *images.Set {
	t.Helper()
	if os.Getenv("METAMERS_DATA") == "" {
		t.Setenv("METAMERS_DATA", "../../../shared/data")
	}
	set, err := images.Open([]string{spec}, images.Options{})
	if err != nil {
		pathstest.Missing(t, "no CIFAR-10 here: %v", err)
	}
	if _, err := os.Stat(filepath.Join(os.Getenv("METAMERS_DATA"), "weights")); err != nil {
		pathstest.Missing(t, "no weights here: %v", err)
	}
	return set
}

func members(names ...string) (refs []metamer.ModelRef) {
	for _, n := range names {
		refs = append(refs, metamer.ModelRef{Name: n})
	}
	return refs
}

// Images right, of the first 2000 of the test set, as PyTorch has them
// (testdata/scripts/golden.py); METAMERS_LONG=1: of all 10,000.
func TestAccuracy(t *testing.T) {
	want, spec := map[string]int{"resnet20": 1854, "resnet56": 1864, "resnet2b": 1372, "resnet4b": 1556, "vit": 1210}, "cifar10:2000"
	if os.Getenv("METAMERS_LONG") != "" {
		want, spec = map[string]int{"resnet20": 9173, "resnet56": 9339, "resnet2b": 6925, "resnet4b": 7720, "vit": 5978}, "cifar10"
	}
	set := cifar(t, spec)
	e := New(backendtest.Open(t, backend.XLA))
	for name, right := range want {
		share, err := e.Accuracy(name, set)
		if err != nil {
			t.Fatal(err)
		}
		got := int(math.Round(share * float64(set.Len())))
		t.Logf("%s: %d of %d right", name, got, set.Len())
		// Rounding decides where two logits are as good as equal.
		if d := got - right; d < -set.Len()/2000 || d > set.Len()/2000 {
			t.Errorf("%s has %d of %d test images right, expected %d", name, got, set.Len(), right)
		}
	}
}

// bounds say how long the mean loss over the images follows PyTorch's to 1e-3, and
// how near it is after 1000 steps.
type bounds struct {
	steps int
	final float64
}

// tolerance is no narrower than PyTorch's agreement with itself when the start is
// shaken by 1e-7 (testdata/README.md): the procedure is chaotic, and in deep
// networks at Late single steps differ after a few and final means by 13 %.
func tolerance(set, stage string) bounds {
	b := bounds{steps: 20, final: 0.05}
	if set == "resnet20_resnet56" {
		b.steps = 3
	}
	if stage == "late" {
		b.final = 0.2
	}
	return b
}

// golden reads a file of testdata/golden.
func golden(t testing.TB, name string) map[string]*weights.Tensor {
	t.Helper()
	f, err := weights.Open("../../testdata/golden/" + name + ".safetensors")
	if err != nil {
		t.Fatal(err)
	}
	return f.Tensors
}

// firstSteps compares the mean loss over the images in the first steps with PyTorch's.
func firstSteps(t *testing.T, run *metamer.Run, golden map[string]*weights.Tensor, stage string, steps int) {
	t.Helper()
	for i := range steps {
		ours, theirs, n := 0.0, 0.0, len(run.Trace.Loss[i])
		for b, v := range run.Trace.Loss[i] {
			ours, theirs = ours+float64(v)/float64(n), theirs+float64(golden["losses20."+stage].Float[i*n+b])/float64(n)
		}
		if !(math.Abs(ours-theirs) <= 1e-3*theirs) {
			t.Errorf("step %d: mean loss %v, PyTorch has %v", i, ours, theirs)
		}
	}
}

// finalLosses compares each member's mean relative loss over the images with PyTorch's.
func finalLosses(t *testing.T, run *metamer.Run, golden map[string]*weights.Tensor, stage string, tolerance float64) {
	t.Helper()
	n := len(run.Statistics) / len(run.Recipe.Models)
	for m, name := range run.Recipe.ModelNames() {
		ours, theirs := 0.0, 0.0
		for b := range n {
			ours += run.Statistics[m*n+b].Loss / float64(n)
			theirs += float64(golden["final."+stage].Float[m*n+b]) / float64(n)
		}
		t.Logf("%s: mean relative loss %.5f, PyTorch %.5f", name, ours, theirs)
		if !(math.Abs(ours-theirs) <= tolerance*theirs) {
			t.Errorf("%s: mean relative loss %.5f after %d steps, PyTorch has %.5f", name, ours, run.Recipe.Steps, theirs)
		}
	}
}

// The paper's procedure agrees with testdata/scripts/pgd.py, an independent
// version in PyTorch, from the same start.
func TestPaperProcedure(t *testing.T) {
	set := cifar(t, "cifar10:16")
	e := New(backendtest.Open(t, backend.XLA))
	start := *set
	start.Name, start.Pixels = "golden start", golden(t, "pgd_start")["start"].Float
	for label, names := range map[string][]string{"resnet20_resnet56": {"resnet20", "resnet56"}, "resnet2b_resnet4b": {"resnet2b", "resnet4b"}} {
		golden := golden(t, "pgd_"+label)
		for _, stage := range metamer.Stages {
			t.Run(label+"/"+stage, func(t *testing.T) {
				deep := label == "resnet20_resnet56"
				if testing.Short() && deep {
					t.Skip("short: two deep networks take long to compile")
				}
				// Three steps of a plan of 27 have the size of those of 1000: the first
				// of nine intervals.
				steps := 1000
				if deep && os.Getenv("METAMERS_LONG") == "" {
					steps = 27
				}
				bounds := tolerance(label, stage)
				run, err := e.Synthesize(context.Background(), Request{
					Recipe: metamer.Recipe{Optimizer: metamer.Optimizer{Name: "pgd"}, Models: members(names...), Stage: stage, Steps: steps, Start: metamer.Start{Kind: "image"}},
					Images: set, Given: &start,
				})
				if err != nil {
					t.Fatal(err)
				}
				firstSteps(t, run, golden, stage, bounds.steps)
				if steps < 1000 {
					t.Log("the first steps; METAMERS_LONG=1 takes all 1000, minutes a stage")
					return
				}
				finalLosses(t, run, golden, stage, bounds.final)
			})
		}
	}
}

func pixels(t *testing.T, e *Engine, q Request) []float32 {
	t.Helper()
	run, err := e.Synthesize(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	return run.Metamers
}

func worst(a, b []float32) (d float64) {
	for i := range a {
		d = max(d, math.Abs(float64(a[i]-b[i])))
	}
	return d
}

// An image comes out the same to the bit whatever its batch-mates are, and a batch of 8
// equals eight batches of 1 within float tolerance, whatever the schedule and optimiser;
// the same seed gives the same bits. Batches of 8 and of 1 round differently, and Adam
// makes a whole step of a gradient that is only rounding, which other steps then amplify:
// those are compared after a few steps.
func TestBatchIndependence(t *testing.T) {
	set := cifar(t, "cifar10:8")
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		e := New(b)
		for _, c := range []struct{ optimizer, schedule string }{{"pgd", "switch"}, {"momentum", "switch"}, {"adam", "average"}, {"lbfgs", "average"}, {"fourier", "switch"}} {
			t.Run(c.optimizer, func(t *testing.T) {
				q := Request{Images: set, Recipe: metamer.Recipe{Models: members("resnet2b", "resnet4b"), Stage: "middle", Steps: 12, Seed: 3,
					Optimizer: metamer.Optimizer{Name: c.optimizer}, Schedule: metamer.Schedule{Kind: c.schedule}, Penalties: []metamer.Penalty{{Name: "tv", Weight: 0.01}}}}
				if c.schedule == "switch" {
					q.Recipe.Schedule.Every = 3
				}
				whole := pixels(t, e, q)
				if again := pixels(t, e, q); worst(whole, again) != 0 {
					t.Errorf("%v: the same recipe gives other bits", c)
				}
				other := q
				mates := *set
				mates.Pixels = slices.Clone(set.Pixels)
				per := len(mates.Pixels) / 8
				for i := per; i < len(mates.Pixels); i++ {
					mates.Pixels[i] = 1 - mates.Pixels[i]
				}
				other.Images = &mates
				if d := worst(whole[:per], pixels(t, e, other)[:per]); d != 0 {
					t.Errorf("%v: other batch-mates change an image by %g", c, d)
				}
				q.Recipe.Steps = 4
				whole = pixels(t, e, q)
				q.Recipe.Batch = 1
				if d := worst(whole, pixels(t, e, q)); d > 1e-4 {
					t.Errorf("%v: a batch of 8 differs from eight of 1 by %g", c, d)
				}
			})
		}
	})
}

// A run that is cancelled goes on from its checkpoint and ends bit-equal to one
// that was not.
func TestResume(t *testing.T) {
	set := cifar(t, "cifar10:6")
	for _, optimizer := range metamer.Optimizers() {
		t.Run(optimizer, func(t *testing.T) {
			e := New(backendtest.Open(t, backend.XLA))
			recipe := metamer.Recipe{Models: members("resnet2b", "resnet4b"), Stage: "late", Steps: 60, Batch: 4, Seed: 5, Optimizer: metamer.Optimizer{Name: optimizer}}
			whole := pixels(t, e, Request{Recipe: recipe, Images: set})
			store, err := runs.Open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			steps := 0
			for cancelAt := 20; ; cancelAt += 30 {
				ctx, cancel := context.WithCancel(context.Background())
				run, err := e.Synthesize(ctx, Request{Recipe: recipe, Images: set, Store: store.Where(), Progress: func(p metamer.Progress) {
					if p.Phase == metamer.Stepping {
						if steps = p.Image/4*60 + p.Step; steps >= cancelAt && steps < 100 {
							cancel()
						}
					}
				}})
				if err == nil {
					if worst(run.Metamers, whole) != 0 {
						t.Error("the resumed run is not bit-equal")
					}
					again, err := e.Synthesize(context.Background(), Request{Recipe: recipe, Images: set, Store: store.Where()})
					if err != nil || !again.Cached || worst(again.Metamers, whole) != 0 || again.PassCount() != run.PassCount() || len(again.Trace.Step) != len(run.Trace.Step) {
						t.Errorf("asking again gives %v (cached %v)", err, again != nil && again.Cached)
					}
					break
				}
				if !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
			}
			if left, _ := filepath.Glob(filepath.Join(store.Dir, ".*.checkpoint")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// A start at the reference is already a metamer: loss 0, all pass, no NaN.
func TestStartAtReference(t *testing.T) {
	set := cifar(t, "cifar10:4")
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		run, err := New(b).Synthesize(context.Background(), Request{Images: set, Recipe: metamer.Recipe{Optimizer: metamer.Optimizer{Name: "pgd"}, Models: members("resnet2b"), Stage: "middle", Steps: 3, Start: metamer.Start{Kind: "reference"}}})
		if err != nil {
			t.Fatal(err)
		}
		if d := worst(run.Metamers, set.Pixels); d > 1e-6 || run.PassCount() != 4 {
			t.Errorf("moved by %g, %d of 4 pass: %s", d, run.PassCount(), run.Stopped)
		}
	})
}

func TestBadRequests(t *testing.T) {
	set := cifar(t, "cifar10:2")
	e := New(backendtest.Open(t, backend.Go))
	for name, r := range map[string]metamer.Recipe{
		"model": {Models: members("resnet21"), Stage: "late"}, "stage": {Models: members("resnet20"), Stage: "latte"},
		"optimiser": {Models: members("resnet20"), Stage: "late", Optimizer: metamer.Optimizer{Name: "pdg"}},
	} {
		_, err := e.Synthesize(context.Background(), Request{Recipe: r, Images: set})
		var unknown *metamer.UnknownError
		if !errors.As(err, &unknown) || len(unknown.Nearest) == 0 {
			t.Errorf("%s: %v, expected an error with the nearest names", name, err)
		}
		t.Log(err)
	}
}
