package study

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

// A forecast is the sum of what its parts were measured to take: steps, match statistics, what
// is compiled once; what is there costs nothing, and what is not known is said.
func TestForecast(t *testing.T) {
	m := newMade() // six images of 16²
	resampling = func(_, resamples int, measures []string) float64 {
		if !slices.Contains(measures, "jsd") {
			return 0
		}
		return float64(max(resamples-probeResamples, 0)) * 1e-3
	}
	t.Cleanup(func() { resampling = measureResampling })
	p := Plan{Sets: [][]string{{"resnet20"}, {"resnet20", "vgg11"}}, Stages: []string{"late"}, Observers: []string{"vgg11"}, Bootstrap: 100, Settings: Settings{Paper: true, Steps: 50, Batch: 4}}.WithDefaults()
	s := &Speeds{Computes: "test", Of: map[string]Speed{}, Evaluations: map[string]EvaluationSpeed{}, Files: map[string]float64{}}
	s.Files[s.filesKey(16)] = 0.5
	f := p.Forecast(s, nil, m.refs, func(metamer.Recipe, int) (bool, bool) { return false, false })
	if len(f.Unknown) != 3 || len(f.Parts) != 2 || f.Gradients != 2*50*6 || f.Evaluations != 2 {
		t.Errorf("%+v", f)
	}
	s.Of[s.key(p, "resnet20", "late", 4, 16)] = Speed{Compile: 7, Step: 0.1, Null: 0.5, Matching: 2, Images: 4}
	s.Of[s.key(p, "vgg11", "late", 4, 16)] = Speed{Compile: 5, Step: 0.3, Null: 0.25, Matching: 4, Images: 4}
	s.Evaluations[s.evaluationKey(p, "vgg11", "late", 16)] = EvaluationSpeed{Compile: 3, Each: 4, Images: 4}
	s.Evaluations[s.evaluationKey(p, "", "", 16)] = EvaluationSpeed{Compile: 1, Each: 2, Images: 4}
	f = p.Forecast(s, nil, m.refs, func(metamer.Recipe, int) (bool, bool) { return false, false })
	cores := float64(runtime.NumCPU()) // files are written beside the next run
	for i, want := range []float64{
		6*0.5/cores + 2*50*0.1 + 3 + 0.5 + 7,         // two batches; match statistics of six images, and the null distribution
		6*0.5 + 2*(30*0.1+20*0.3) + 3 + 6 + 0.25 + 5, // every ten steps the other member; vgg11 is compiled now
	} {
		if got := f.Parts[i].Expected.Seconds(); math.Abs(got-want) > 1e-9 {
			t.Errorf("part %d: %v s, expected %v", i, got, want)
		}
	}
	// Two runs by one observer and the references, likewise image metrics; 100 resamples are no more than those measured.
	if got := f.Evaluation.Seconds(); f.Unknown != nil || got != 3*6+3+3*3+1 {
		t.Errorf("evaluation %v s, unknown %v", got, f.Unknown)
	}
	// Ten seconds of steps that need .9 of the cores, beside them five of compilation that need .6: two seconds longer.
	alone := f.Parts[1].Expected
	for key, v := range s.Of {
		v.CompileBusy, v.StepBusy = 0.6, 0.9
		s.Of[key] = v
	}
	if got := p.Forecast(s, nil, m.refs, func(metamer.Recipe, int) (bool, bool) { return false, false }).Parts[1].Expected; (alone - got).Round(time.Millisecond) != 3*time.Second {
		t.Errorf("%v with compilation beside steps, %v with both of them on all cores", got, alone)
	}
	// Steps of a GPU leave the cores to compilation, which costs nothing while it is shorter.
	for c, want := range map[float64]time.Duration{5: 0, 13: 3 * time.Second} {
		if got := (load{c, c * 0.6}).beside(load{10, 10 * 0.05}); seconds(got).Round(time.Millisecond) != want {
			t.Errorf("%v s of compilation cost %v s", c, got)
		}
	}
	q := p
	if q.Bootstrap = 2000; q.Forecast(s, nil, m.refs, func(metamer.Recipe, int) (bool, bool) { return false, false }).Evaluation <= f.Evaluation {
		t.Error("more resamples take no longer")
	}
	q.Measures = []string{"recognizability"}
	if f := q.Forecast(s, nil, m.refs, func(metamer.Recipe, int) (bool, bool) { return false, false }); len(f.Unknown) != 1 || f.Evaluation != 0 {
		t.Errorf("other measures cost something else: %+v", f)
	}
	f = p.Forecast(s, map[string]bool{s.key(p, "resnet20", "late", 4, 16): true}, m.refs, func(r metamer.Recipe, _ int) (bool, bool) { return len(r.Models) == 2, true })
	if f.Parts[0].Expected != 16*time.Second || f.Parts[1].Expected != 0 || f.Evaluation != 0 || f.Left() != 16*time.Second {
		t.Errorf("%+v", f)
	}
}

// What is not known is measured once, kept, and not measured again.
func TestCalibrate(t *testing.T) {
	m := newMade()
	path := filepath.Join(t.TempDir(), "speeds.json")
	s, err := OpenSpeeds(path, "test")
	if err != nil {
		t.Fatal(err)
	}
	p := Plan{Sets: m.study.Sets[:2], Observers: []string{"resnet20"}}.WithDefaults()
	p.Sets = [][]string{{"resnet20"}}
	var forecast *Forecast
	o := Options{Images: m.refs, Speeds: s, Forecast: func(f *Forecast) { forecast = f }}
	if _, err := Do(context.Background(), m, p, o); err != nil {
		t.Fatal(err)
	}
	if m.asked != 3*2+3 || m.evaluated < 3*2+2+1 || m.evaluated > 3*2+2+3 || forecast == nil || forecast.Unknown != nil || len(forecast.Parts) != 3 {
		t.Errorf("%d requests, %+v", m.asked, forecast)
	}
	again, err := OpenSpeeds(path, "test")
	if err != nil || len(again.Of) != 3 || len(again.Evaluations) != 4 {
		t.Fatalf("%+v %v", again, err)
	}
	m.asked, m.evaluated, o.Speeds = 0, 0, again
	if _, err := Do(context.Background(), m, p, o); err != nil || m.asked != 3 || m.evaluated < 1 || m.evaluated > 3 {
		t.Errorf("%d and %d requests: %v", m.asked, m.evaluated, err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o666); err != nil {
		t.Fatal(err)
	}
	if s, err := OpenSpeeds(path, "test"); err == nil || s == nil || len(s.Of) != 0 || !strings.Contains(err.Error(), path) {
		t.Errorf("%+v %v", s, err)
	}
	m.asked, m.failAt = 0, 2
	empty, _ := OpenSpeeds("", "test")
	o.Speeds = empty
	if _, err := Do(context.Background(), m, p, o); err == nil || !strings.Contains(err.Error(), "measuring resnet20 at early") {
		t.Error(err)
	}
}

// Runs in a store are told by what the plan settles.
func TestInStore(t *testing.T) {
	m := newMade()
	store := &runs.Store{Dir: t.TempDir()}
	p := plan(m).WithDefaults()
	r := p.Recipe(m.study.Sets[0], "late")
	r.Images = metamer.ImageRef{Name: "blobs by another name", Count: m.refs.Len(), Size: m.refs.Size, SHA256: m.refs.SHA256()}
	r.Batch, r.Backend, r.Versions = min(r.Batch, m.refs.Len()), "xla", map[string]string{"a": "1"}
	r.Models[0].SHA256, r.Models[0].Layer = "abc", "layer3"
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(store.Dir, "00000000000000ab")
	for name, data := range map[string]string{"recipe.json": string(text), "manifest.json": "{}", "rows/a.csv": "", "rows/b.csv": ""} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	there, err := inStore(store, m.refs, r.Computed())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		set       []string
		stage     string
		observers int
		run, rows bool
	}{{m.study.Sets[0], "late", 2, true, true}, {m.study.Sets[0], "late", 3, true, false}, {m.study.Sets[0], "early", 1, false, false}, {m.study.Sets[1], "late", 1, false, false}} {
		if run, rows := there(p.Recipe(c.set, c.stage), c.observers); run != c.run || rows != c.rows {
			t.Errorf("%v: %v %v", c, run, rows)
		}
	}
	if other, err := inStore(store, m.refs, "backend xla, a 2"); err != nil {
		t.Error(err)
	} else if run, _ := other(p.Recipe(m.study.Sets[0], "late"), 1); run {
		t.Error("a run of another version is taken for one that need not be made")
	}
	p.Settings.Steps = 7
	if run, _ := there(p.Recipe(m.study.Sets[0], "late"), 1); run {
		t.Error("a run of other settings is taken for the plan's")
	}
}

// The time of a step does not follow single stalls.
func TestMiddle(t *testing.T) {
	var w watch
	if w.each = []float64{1, 1, 1}; w.middle() != 0 {
		t.Error("three steps have no middle half")
	}
	if w.each = []float64{2, 90, 1, 3, 2, 2, 0, 2}; w.middle() != 2 {
		t.Errorf("%v, expected 2", w.middle())
	}
}

// Steps beside which something else was under way say nothing of their time.
func TestDisturbed(t *testing.T) {
	var w watch
	for step := range 12 {
		w.see(metamer.Progress{Phase: metamer.Stepping, Step: step + 1}, step > 2 && step < 8)
	}
	// Reports 2 and 3 lie between quiet ones, and 10, 11 and 12.
	if len(w.each) != 5 || len(w.fromBatch) != 5 {
		t.Errorf("%d steps of 12 count, expected 5", len(w.each))
	}
	w.see(metamer.Progress{Phase: metamer.Stepping, Step: 1, Image: 16}, false)
	w.see(metamer.Progress{Phase: metamer.Stepping, Step: 3, Image: 16}, false)
	if len(w.each) != 6 || len(w.fromBatch) != 1 {
		t.Errorf("%d steps and %d of the next batch", len(w.each), len(w.fromBatch))
	}
}

// What is done beside steps that leave most cores free, as those of a GPU do, costs less, and what is left behind the
// last run nothing less.
func TestForecastOverlap(t *testing.T) {
	for _, c := range []struct{ busy, overlap float64 }{{1, 0}, {0.75, 0}, {0.4, 4}, {0.1, 4}} {
		f := &Forecast{Parts: []Part{{Stage: "late", Expected: 10 * time.Second}, {Stage: "late", Expected: 12 * time.Second}}, Evaluation: 12 * time.Second, each: map[string]load{"late": {5, 5}}}
		var steps, concurrent load
		steps.add(20, c.busy)
		concurrent.add(2, 1) // match statistics of the first
		f.overlap(steps, concurrent, 3, 1)
		// Beside: these match statistics, and all evaluations but those of the last two runs.
		if math.Abs(f.Overlap.Seconds()-c.overlap) > 1e-6 || f.Tail != 13*time.Second || math.Abs(f.Left().Seconds()-(34-c.overlap)) > 1e-6 {
			t.Errorf("busy %v: %+v", c.busy, f)
		}
	}
	f := &Forecast{Parts: []Part{{Stored: true}}, Evaluation: 12 * time.Second}
	if f.overlap(load{}, load{}, 0, -1); f.Overlap != 0 || f.Tail != f.Evaluation {
		t.Errorf("evaluations alone: %+v", f)
	}
}

// A run teaches the time of a step by its last batch, or whole where nothing followed it,
// and the time of its files only then.
func TestLearn(t *testing.T) {
	p := Plan{Sets: [][]string{{"a"}}, Settings: Settings{Paper: true, Steps: 10, Batch: 2}}.WithDefaults()
	run := &metamer.Run{Recipe: p.Recipe([]string{"a"}, "late")}
	run.Recipe.Images = metamer.ImageRef{Count: 4, Size: 8}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	w := watch{first: at, batch: at.Add(30 * time.Second), each: []float64{3, 3, 1, 1, 3, 3}, fromBatch: []float64{1, 1, 1, 1}, files: at.Add(52 * time.Second)}
	for _, c := range []struct {
		alone       bool
		step, files float64
	}{{false, 1.5, -1}, {true, 2.25, 2}} { // from 2 halfway to 1, and to 2.5
		s := &Speeds{Computes: "test", Of: map[string]Speed{}}
		key := s.key(p, "a", "late", 2, 8)
		s.Of[key] = Speed{Step: 2}
		s.learn(p, run, w, c.alone, at.Add(time.Minute))
		files, there := s.Files[s.filesKey(8)]
		if !there {
			files = -1
		}
		if got := s.Of[key].Step; got != c.step || files != c.files {
			t.Errorf("alone %v: a step of %v s, files of %v s, expected %v and %v", c.alone, got, files, c.step, c.files)
		}
	}
}
