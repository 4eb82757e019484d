package engine

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/imgmetrics"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

// made synthesises and saves a small run.
func made(t *testing.T, e *Engine, set *images.Set, models ...string) *metamer.Run {
	t.Helper()
	store, err := runs.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	run, err := e.Synthesize(context.Background(), Request{Images: set, Store: store.Where(), Recipe: metamer.Recipe{Optimizer: metamer.Optimizer{Name: "pgd"}, Models: members(models...), Stage: "middle", Steps: 30}})
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func equalRows(a, b metamer.Rows) bool {
	return slices.EqualFunc(a, b, metamer.Row.Equal)
}

var quickBoot = metamer.Bootstrap{Resamples: 200}

// Rows agree with the run's own match statistics and with the measures taken by hand; asking
// again is answered from the run's folder, to the bit.
func TestEvaluate(t *testing.T) {
	set := cifar(t, "cifar10:12")
	e := New(backendtest.Open(t, backend.XLA))
	run := made(t, e, set, "resnet2b", "resnet4b")
	q := Evaluation{Runs: []*metamer.Run{run}, Observers: []string{"resnet2b", "vit", "resnet4b"}, Similarities: []string{"pearson", "spearman"}, Measures: observed(Measures), MinImages: 12, Bootstrap: quickBoot}
	rows, err := e.Evaluate(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows.Where(func(r metamer.Row) bool { return math.IsNaN(r.Value) && r.Reason == "" })) > 0 {
		t.Error("a value is NaN without a reason")
	}
	find := func(measure, observer string, image int) metamer.Row {
		t.Helper()
		hits := rows.Where(func(r metamer.Row) bool { return r.Measure == measure && r.Observer == observer && r.Image == image })
		if len(hits) != 1 {
			t.Fatalf("%d rows of %s by %s of image %d", len(hits), measure, observer, image)
		}
		return hits[0]
	}
	for _, ev := range run.Statistics {
		for measure, want := range map[string]float64{
			"match/relative-l2": ev.Loss, "match/pearson": ev.Pearson, "match/spearman": ev.Spearman, "match/snr": ev.SNR,
			"success": float64(b2f(ev.Verdict == "pass")), metamer.Recognizability: float64(b2f(ev.SameClass)),
		} {
			if got := find(measure, ev.Member, ev.Image); math.Abs(got.Value-want) > 1e-5*max(1, math.Abs(want)) || !got.Member {
				t.Errorf("%s by %s of image %d: %+v, the run itself has %v", measure, ev.Member, ev.Image, got, want)
			}
		}
	}
	// By hand: the activations of both sides in memory, and the functions of evaluate.
	met := *set
	met.Pixels = run.Metamers
	for _, observer := range []string{"resnet4b", "vit_pgd_2_3_16"} {
		a, _, err := e.Activations(observer, []string{"middle", "logits"}, set, 12)
		if err != nil {
			t.Fatal(err)
		}
		b, _, err := e.Activations(observer, []string{"middle", "logits"}, &met, 12)
		if err != nil {
			t.Fatal(err)
		}
		same, right := 0.0, 0.0
		for i := range a[1] {
			same += b2f(argmax(a[1][i]) == argmax(b[1][i])) / 12
			right += b2f(argmax(b[1][i]) == set.Labels[i]) / 12
		}
		if got := find(metamer.Recognizability, observer, -1); math.Abs(got.Value-same) > 1e-12 || got.Count != 12 || !(got.Low <= same && same <= got.High && got.Low < got.High) {
			t.Errorf("%+v, expected %v", got, same)
		}
		if got := find("recognizability-true", observer, -1); math.Abs(got.Value-right) > 1e-12 {
			t.Errorf("%+v, expected %v", got, right)
		}
		for _, kind := range q.Similarities {
			var sides [2]*evaluate.Matrix
			for i, acts := range [][][]float32{a[0], b[0]} {
				src := evaluate.Source(evaluate.Held(acts))
				if kind == "spearman" {
					src = evaluate.Ranked(src)
				}
				g, err := evaluate.NewGram(context.Background(), src, 0)
				if err != nil {
					t.Fatal(err)
				}
				if sides[i], err = g.Matrix(kind); err != nil {
					t.Fatal(err)
				}
			}
			j, err := evaluate.NewJSD(sides[0], sides[1], 0, evaluate.Bootstrap(quickBoot))
			if err != nil {
				t.Fatal(err)
			}
			if got := find("jsd/"+kind, observer, -1); math.Abs(got.Value-j.Value) > 1e-9 || math.Abs(got.Low-j.Low) > 1e-9 || got.Member == (observer != "resnet4b") {
				t.Errorf("%+v, expected %+v", got, j)
			}
		}
	}
	two := (find(metamer.Recognizability, "resnet2b", -1).Value + find(metamer.Recognizability, "resnet4b", -1).Value) / 2
	if got := find(metamer.Recognizability, metamer.Members, -1); math.Abs(got.Value-two) > 1e-12 {
		t.Errorf("members: %+v, expected %v", got, two)
	}
	if got := find(metamer.Recognizability, metamer.NonMembers, -1); got.Value != find(metamer.Recognizability, "vit_pgd_2_3_16", -1).Value || got.Member {
		t.Errorf("non-members: %+v", got)
	}

	kept, _ := filepath.Glob(filepath.Join(run.Dir, "rows", "*.csv"))
	if len(kept) != 3*len(q.Measures)+1 { // one of the means
		t.Errorf("%d files of rows are kept, expected %d", len(kept), 3*len(q.Measures)+1)
	}
	fresh := New(e.Backend)
	again, err := fresh.Evaluate(context.Background(), q)
	if err != nil || !equalRows(rows, again) {
		t.Errorf("asked again, the rows are others: %v", err)
	}
	r := run.Recipe
	same, err := fresh.Synthesize(context.Background(), Request{Images: set, Store: filepath.Dir(run.Dir),
		Recipe: metamer.Recipe{Optimizer: metamer.Optimizer{Name: "pgd"}, Models: members("resnet2b", "resnet4b"), Stage: r.Stage, Steps: r.Steps}})
	if err != nil || same.ID != run.ID || !same.Cached {
		t.Errorf("synthesised again: %v", err)
	}
	if len(fresh.compiled.Keys()) > 0 || len(fresh.nets.Values()) > 0 {
		t.Errorf("asked again, %d things were compiled and %d models opened", len(fresh.compiled.Keys()), len(fresh.nets.Values()))
	}
	// Without room for activations they are read in blocks, to the same numbers.
	q.Anew, q.Memory, q.Batch = true, 1<<15, 5
	blocks, err := e.Evaluate(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range blocks {
		if r.Measure != rows[i].Measure || math.Abs(r.Value-rows[i].Value) > 1e-5*max(1, math.Abs(r.Value)) {
			t.Errorf("in blocks %+v, in memory %+v", r, rows[i])
		}
	}
	// A damaged file is measured again.
	kept, _ = filepath.Glob(filepath.Join(run.Dir, "rows", "*.csv"))
	if err := os.WriteFile(kept[0], []byte("run,set\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	warned := ""
	q.Anew, q.Memory, q.Batch, q.Warn = false, 0, 0, func(s string) { warned += s }
	if again, err = e.Evaluate(context.Background(), q); err != nil || len(again) != len(rows) || !strings.Contains(warned, kept[0]) {
		t.Errorf("with a damaged file: %v, %d rows, warning %q", err, len(again), warned)
	}
	if data, err := os.ReadFile(kept[0]); err == nil && string(data) == "run,set\n" {
		t.Error("the damaged file stays")
	}
	// Cancelled after the first observer, it stops, and what was measured is kept.
	if err := os.RemoveAll(filepath.Join(run.Dir, "rows")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	q.Progress = func(p metamer.Progress) {
		if p.Step == 1 {
			cancel()
		}
	}
	if _, err := e.Evaluate(ctx, q); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "after 1 of 3") {
		t.Errorf("cancelled: %v", err)
	}
	if kept, _ = filepath.Glob(filepath.Join(run.Dir, "rows", "*")); len(kept) != len(q.Measures) {
		t.Errorf("cancelled after one observer, %d files are kept: %v", len(kept), kept)
	}
	q.Progress = nil
	if again, err = e.Evaluate(context.Background(), q); err != nil || !equalRows(rows, again) {
		t.Errorf("gone on, the rows are others: %v", err)
	}
	store := runs.Store{Dir: filepath.Dir(run.Dir)}
	if _, err := store.Load(run.ID); err != nil {
		t.Errorf("with rows beside it, the run does not load: %v", err)
	}
}

// Image metrics are the runner's own, with the references' once, and need no observer.
func TestEvaluateImageMetrics(t *testing.T) {
	set := cifar(t, "cifar10:5")
	e := New(backendtest.Open(t, backend.XLA))
	one, two := made(t, e, set, "resnet2b"), made(t, e, set, "resnet4b")
	names := []string{"entropy", "psnr", "niqe-photos"}
	q := Evaluation{Runs: []*metamer.Run{one, two}, Measures: []string{"metrics"}, Metrics: names, Bootstrap: quickBoot}
	rows, err := e.Evaluate(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := imgmetrics.Lookup(names...)
	if err != nil {
		t.Fatal(err)
	}
	runner, err := imgmetrics.NewRunner(e.Backend.Compute, metrics...)
	if err != nil {
		t.Fatal(err)
	}
	want, err := runner.Measure(two.Metamers, set.Pixels, 32, 32)
	if err != nil {
		t.Fatal(err)
	}
	for k, m := range names {
		refs := 0
		sum := 0.0
		for _, r := range rows.PerImage(m) {
			if r.Name != set.Names[r.Image] {
				t.Errorf("image %d is called %q, expected %q", r.Image, r.Name, set.Names[r.Image])
			}
			if r.Set == "" {
				refs++
			}
			if r.Run != two.ID {
				continue
			}
			v := want[r.Image][k]
			sum += v.V / 5
			if math.Abs(r.Value-v.V) > 1e-6*math.Abs(v.V) || r.Observer != "" || math.IsNaN(v.V) != (r.Reason != "") || math.IsNaN(v.V) != math.IsNaN(r.Value) {
				t.Errorf("%+v, expected %v", r, v)
			}
		}
		if expected := map[bool]int{true: 0, false: 5}[m == "psnr"]; refs != expected {
			t.Errorf("%d rows of the references' %s, expected %d", refs, m, expected)
		}
		for _, r := range rows.Overall(m) {
			if r.Run == two.ID && !math.IsNaN(sum) && math.Abs(r.Value-sum) > 1e-6*math.Abs(sum) {
				t.Errorf("%+v, expected %v", r, sum)
			}
		}
	}
	fresh := New(e.Backend)
	again, err := fresh.Evaluate(context.Background(), q)
	if err != nil || !equalRows(rows, again) || len(fresh.compiled.Keys()) > 0 {
		t.Errorf("asked again: %v, %d compiled", err, len(fresh.compiled.Keys()))
	}
}

func b2f(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// What has no value has a reason; what cannot be is an error.
func TestEvaluateReasons(t *testing.T) {
	set := cifar(t, "cifar10:2")
	e := New(backendtest.Open(t, backend.Go))
	ctx := context.Background()
	run, err := e.Synthesize(ctx, Request{Images: set, Recipe: metamer.Recipe{Optimizer: metamer.Optimizer{Name: "pgd"}, Models: members("resnet2b"), Stage: "conv1", Steps: 2}})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := e.Evaluate(ctx, Evaluation{Runs: []*metamer.Run{run}, Observers: []string{"resnet2b", "resnet4b", "vit"}, Measures: observed(Measures), Bootstrap: quickBoot})
	if err != nil {
		t.Fatal(err)
	}
	reason := func(measure, observer string) string {
		for _, r := range rows.Overall(measure) {
			if r.Observer == observer {
				if !math.IsNaN(r.Value) {
					t.Errorf("%+v", r)
				}
				return r.Reason
			}
		}
		t.Errorf("no row of %s by %s", measure, observer)
		return ""
	}
	if got := reason("jsd", "vit_pgd_2_3_16"); !strings.Contains(got, "no layer conv1") {
		t.Errorf("an observer without the layer: %q", got)
	}
	if got := reason("jsd/pearson", "resnet2b"); !strings.Contains(got, "at least 16 images; this set has 2") {
		t.Errorf("two images: %q", got)
	}
	unlabelled := *set
	unlabelled.Labels = []int{-1, -1}
	run.Recipe.Images.SHA256 = unlabelled.SHA256()
	rows, err = e.Evaluate(ctx, Evaluation{Runs: []*metamer.Run{run}, Images: &unlabelled, Observers: []string{"resnet2b"}, Measures: []string{"recognizability"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := reason("recognizability-true", "resnet2b"); !strings.Contains(got, "no labels") {
		t.Errorf("images without labels: %q", got)
	}
	var unknown *metamer.UnknownError
	for name, q := range map[string]Evaluation{
		"metric": {Measures: []string{"metrics"}, Metrics: []string{"entropi"}}, "measure": {Measures: []string{"jds"}}, "similarity": {Similarities: []string{"person"}}, "observer": {Observers: []string{"resnet21"}},
	} {
		q.Runs, q.Images = []*metamer.Run{run}, &unlabelled
		if _, err := e.Evaluate(ctx, q); !errors.As(err, &unknown) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := e.Evaluate(ctx, Evaluation{Runs: []*metamer.Run{run}, Images: set}); err == nil || !strings.Contains(err.Error(), "not the references") {
		t.Errorf("other references: %v", err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := e.Evaluate(cancelled, Evaluation{Runs: []*metamer.Run{run}, Images: &unlabelled}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
