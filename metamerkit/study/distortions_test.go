package study

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

// distorts answers like made, and finds directions that tell set, stage and image.
type distorts struct {
	*made
	asked  []string
	failAt int                // the request, from 1, that fails
	fail   error              // how
	cancel context.CancelFunc // called then, if set
}

func (e *distorts) Distort(_ context.Context, q api.Distorting) ([]api.Distortions, error) {
	e.asked = append(e.asked, strings.Join(q.Models, "+")+" "+q.Stage+" "+q.Images.Names[0])
	if len(e.asked) == e.failAt {
		if e.cancel != nil {
			e.cancel()
		}
		return nil, e.fail
	}
	q.Progress(0, "most and least noticed", 2)
	value := float64(len(q.Stage)) + float64(q.Images.Image(0)[0])
	of := func(sign float64) api.Distortion {
		d := api.Distortion{Direction: make(api.Floats, len(q.Images.Pixels)), Eigenvalue: value, Residual: 3e-7, Converged: sign > 0, Products: 17}
		d.Direction[len(q.Models)] = float32(sign)
		for range q.Models {
			d.Sensitivities = append(d.Sensitivities, value/2)
		}
		return d
	}
	d := api.Distortions{Image: q.Images.Names[0], Most: of(1), Least: of(-1)}
	for _, m := range q.Models {
		d.Members = append(d.Members, api.MemberSensitivity{Model: m, Layer: "layer", Largest: value})
	}
	if len(q.Models) > 1 {
		d.Pair = &api.DistortionPair{First: of(1), Second: of(-1), Ratios: []float64{2, .5}, Spread: .7, Gain: 4e-5}
	}
	return []api.Distortions{d}, nil
}

// distortedPlan has two sets, one of them of two models, at two stages.
func distortedPlan(m *made) Plan {
	p := Plan{Name: "test", Sets: m.study.Sets[:1], Stages: []string{"early", "late"}, Measures: []string{"recognizability"}, Distortions: 2}
	i := slices.IndexFunc(m.study.Sets, func(set []string) bool { return len(set) > 1 })
	p.Sets = [][]string{m.study.Sets[0], m.study.Sets[i]}
	return p
}

func TestPlanDistortions(t *testing.T) {
	p, err := Parse([]byte("sets: [[a], [b]]\npairs: true\ndistortions: 3\n"))
	if err != nil || p.Distortions != 3 {
		t.Fatalf("%d: %v", p.Distortions, err)
	}
	text, err := yaml.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Parse(text); err != nil || again.Distortions != 3 {
		t.Errorf("%v\n%s", err, text)
	}
	for _, c := range p.Cells() { // shards leave them to the whole plan
		if p.Only(c).Distortions != 0 {
			t.Errorf("%+v has distortions", c)
		}
	}
	for text, want := range map[string]string{"-1": "distortions: -1, expected", "several": "distortions", "1.5": "line 2: distortions is 1.5, expected a whole number"} {
		if _, err := Parse([]byte("sets: [[a]]\ndistortions: " + text + "\n")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	e := &distorts{made: newMade()} // six images
	p = distortedPlan(e.made)
	p.Distortions = 7
	want := "distortions: 7 reference images, but blobs has 6"
	if _, err := Do(t.Context(), e, p, Options{Images: e.refs}); err == nil || !strings.Contains(err.Error(), want) || e.made.asked > 0 {
		t.Errorf("%v after %d requests", err, e.made.asked)
	}
	if _, err := p.Before(&Speeds{}, nil, e.refs); err == nil || !strings.Contains(err.Error(), want) {
		t.Error(err)
	}
	// Of variants each reference counts once.
	p.Distortions = 2
	refs, err := p.distorted((&metamer.Variants{Count: 3}).Of(e.refs))
	if err != nil || refs.Len() != 2 || refs.Copies != 0 || !slices.Equal(refs.Image(1), e.refs.Image(1)) {
		t.Errorf("%+v: %v", refs.Names, err)
	}
}

// What is found is kept: an interrupted study goes on where it was, a finished one computes
// nothing, and what another engine or other weights gave is not taken.
func TestDistortionsKept(t *testing.T) {
	store, err := runs.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	e := &distorts{made: newMade(), failAt: 4, fail: context.Canceled}
	p := distortedPlan(e.made)
	left := func() *Forecast {
		f, err := p.Before(&Speeds{}, store, e.refs)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	// A search has 400 products at most, or one more; then directions are measured.
	if f := left(); f.Distortions != 8 || f.Products != 4*(2*401+3)+4*2*(3*401+5) {
		t.Errorf("%d products for %d images", f.Products, f.Distortions)
	}
	ctx, cancel := context.WithCancel(t.Context())
	e.cancel = cancel
	o := Options{Images: e.refs, Store: store}
	if _, err := Do(ctx, e, p, o); !errors.Is(err, context.Canceled) || len(e.asked) != 4 {
		t.Fatalf("%v after %v", err, e.asked)
	}
	if f := left(); f.Distortions != 5 {
		t.Errorf("%d images are left", f.Distortions)
	}
	e.failAt, e.asked = 0, nil
	last := 0.0
	o.Progress = func(p Progress) {
		if p.Done < last || p.Done > 1 {
			t.Errorf("progress goes from %v to %v", last, p.Done)
		}
		last = p.Done
	}
	r, err := Do(t.Context(), e, p, o)
	if err != nil || len(e.asked) != 5 || len(r.Distortions) != 4 || r.Spent.Distortions == 0 {
		t.Fatalf("%v: asked %v, %d sets and stages", err, e.asked, len(r.Distortions))
	}
	if f := left(); f.Distortions != 0 || f.Products != 0 {
		t.Errorf("%d products for %d images are left", f.Products, f.Distortions)
	}
	nowhere, err := Do(t.Context(), &distorts{made: newMade()}, p, Options{Images: e.refs})
	if err != nil || !reflect.DeepEqual(nowhere.Distortions, r.Distortions) {
		t.Errorf("those kept are others than those found: %v", err)
	}
	o.Progress, e.asked = nil, nil
	again, err := Do(t.Context(), e, p, o)
	if err != nil || e.asked != nil || again.Spent.Distortions != 0 || !reflect.DeepEqual(again.Distortions, r.Distortions) {
		t.Errorf("%v: asked %v", err, e.asked)
	}
	again.Distortions = nil
	if again.ReadDistortions(store); !reflect.DeepEqual(again.Distortions, r.Distortions) {
		t.Error("others are read from the store")
	}
	files, _ := filepath.Glob(filepath.Join(store.Dir, ".distortions", "*.npz"))
	if len(files) != 8 {
		t.Fatal(files)
	}
	if err := os.Truncate(files[0], 100); err != nil {
		t.Fatal(err)
	}
	if _, err := Do(t.Context(), e, p, o); err != nil || len(e.asked) != 1 {
		t.Errorf("of a damaged file: %v, asked %v", err, e.asked)
	}
	e.asked = nil
	for _, run := range e.runs {
		run.Recipe.Models[0].SHA256 = "other weights"
	}
	if _, err := Do(t.Context(), e, p, o); err != nil || len(e.asked) != 8 {
		t.Errorf("of other weights: %v, asked %v", err, e.asked)
	}
	e.asked, p.Settings.Seed = nil, 1
	if _, err := Do(t.Context(), e, p, o); err != nil || len(e.asked) != 8 {
		t.Errorf("of another seed: %v, asked %v", err, e.asked)
	}
}

// The page shows a sheet for each set at each stage and one table; where an engine fails, it
// says so and shows the others. A plan that does not ask has none.
func TestDistortionsPage(t *testing.T) {
	e := &distorts{made: newMade(), failAt: 3, fail: errors.New("no derivative of Sort")} // at the second stage
	p := distortedPlan(e.made)
	var warned []string
	r, err := Do(t.Context(), e, p, Options{Images: e.refs, Warn: func(s string) { warned = append(warned, s) }})
	if err != nil || len(r.Distortions) != 3 || !slices.ContainsFunc(warned, func(s string) bool { return strings.Contains(s, "no derivative of Sort") }) {
		t.Fatalf("%v: %d sets and stages, %v", err, len(r.Distortions), warned)
	}
	dir := t.TempDir()
	if warnings, err := r.Write(dir); err != nil || warnings != nil {
		t.Fatal(warnings, err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	section := page[strings.Index(page, `id="directions"`):strings.Index(page, "<h2>Tables</h2>")]
	for _, want := range []string{`id="distortions"`, "could not be computed: no derivative of Sort", "4e-05, not converged", "3e-07", "pair, first (spread of log ratios 0.7)", "(50 %)", `<a href="distortions.csv">`} {
		if !strings.Contains(section, want) {
			t.Errorf("the section lacks %s", want)
		}
	}
	sheets, _ := filepath.Glob(filepath.Join(dir, "distortions_*.png"))
	if len(sheets) != 3 || strings.Count(section, "data:image/jpeg;base64,") != 3 {
		t.Errorf("%v", sheets)
	}
	for _, s := range sheets {
		if !strings.Contains(section, `href="`+filepath.Base(s)+`"`) {
			t.Errorf("the page does not lead to %s", s)
		}
	}
	if table := r.DistortionsTable(); len(table.Rows) != 2*2+2*2*4 {
		t.Errorf("%d rows", len(table.Rows))
	}
	if strings.Count(page, "1710.02266")+strings.Count(page, "2410.15433") != 4 { // text and link of each
		t.Error("the page does not cite them")
	}
	p.Distortions = 0
	plain, err := Do(t.Context(), e, p, Options{Images: e.refs})
	if err != nil || plain.Distortions != nil {
		t.Fatal(err)
	}
	if _, err := plain.Write(dir); err != nil {
		t.Fatal(err)
	}
	data, err = os.ReadFile(filepath.Join(dir, "index.html"))
	if left, _ := filepath.Glob(filepath.Join(dir, "distortions*")); err != nil || left != nil || strings.Contains(string(data), `id="directions"`) {
		t.Errorf("%v: left %v", err, left)
	}
	if _, err := plain.Table("distortions"); err == nil || !strings.Contains(err.Error(), "distortions: N") {
		t.Error(err)
	}
}
