package study

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/figures"
	"github.com/ensemble-metamers/metamers/metamerkit/figures/figurestest"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// made answers with the made-up study and runs of package figurestest.
type made struct {
	study     *figures.Study
	refs      *images.Set
	runs      []*metamer.Run
	failAt    int // the request, from 1, that fails; 0: none
	asked     int
	evaluated int    // evaluations
	missing   string // the model whose weights are not here
}

func newMade() *made {
	m := &made{study: figurestest.Study()}
	m.refs, m.runs = figurestest.Runs(m.study.Sets...)
	return m
}

func (m *made) Synthesize(_ context.Context, q api.Synthesis) (*metamer.Run, error) {
	m.asked++
	if m.asked == m.failAt {
		return nil, context.Canceled
	}
	for _, r := range m.runs {
		if slices.Equal(r.Recipe.ModelNames(), q.Recipe.ModelNames()) && r.Recipe.Stage == q.Recipe.Stage {
			q.Progress(metamer.Progress{Phase: metamer.Stepping, Step: q.Recipe.Steps / 2, Steps: q.Recipe.Steps, Images: q.Images.Len()})
			return r, nil
		}
	}
	return nil, errors.New("no such run")
}

func (m *made) Evaluate(_ context.Context, q api.Evaluation) (metamer.Rows, error) {
	if len(q.Runs) == 0 || !strings.HasPrefix(q.Runs[0].ID, jpegPrefix[:4]) { // of the plan, not of JPEG copies
		m.evaluated++
	}
	if q = q.WithDefaults(); q.Validate() != nil {
		return nil, q.Validate()
	}
	q.Progress(metamer.Progress{Phase: metamer.Evaluating, Step: 1, Steps: 2})
	return slices.DeleteFunc(slices.Clone(m.study.Rows), func(r metamer.Row) bool {
		return r.Set != "" && !slices.ContainsFunc(q.Runs, func(run *metamer.Run) bool {
			return strings.Join(run.Recipe.ModelNames(), "+") == r.Set && run.Recipe.Stage == r.Stage
		})
	}), nil
}

func (m *made) Distort(context.Context, api.Distorting) ([]api.Distortions, error) {
	return nil, errors.New("no distortions")
}

func (m *made) Batch(_ context.Context, q api.Batch) (int, error) { return min(q.Count, 5), nil }

func (m *made) Models(context.Context) (out []api.Model, err error) {
	for _, o := range m.study.Observers {
		c := *m.study.Cards[o]
		c.Classes, c.Labels = 10, "cifar10"
		if o == "resnet20" {
			c.Aliases = []string{"twenty"}
		}
		out = append(out, api.Model{Card: &c, Missing: map[bool]string{true: "get " + o}[o == m.missing]})
	}
	return out, nil
}

// A plan's batch may be auto: the engine is asked, and the plan that is carried out names
// the answer. Sweeps, which run on several machines, want a number.
func TestAutoBatch(t *testing.T) {
	p, err := Parse([]byte("sets: [[resnet20]]\nimages: cifar10:6\nsettings: {steps: 4, batch: auto}\n"))
	if err != nil || p.Settings.Batch != metamer.AutoBatch {
		t.Fatalf("batch %d: %v", p.Settings.Batch, err)
	}
	m := newMade()
	r, err := Do(context.Background(), m, p, Options{Images: m.refs})
	if err != nil || r.Plan.Settings.Batch != 5 { // as made says
		t.Errorf("batch %d: %v", r.Plan.Settings.Batch, err)
	}
	models, _ := m.Models(context.Background())
	if _, err := p.Pinned(models, false); err == nil || !strings.Contains(err.Error(), "batch auto") {
		t.Error(err)
	}
	for _, bad := range []string{"several", "-2", "1.5"} {
		if _, err := Parse([]byte("sets: [[a]]\nsettings: {batch: " + bad + "}\n")); err == nil || !strings.Contains(err.Error(), "batch") {
			t.Errorf("batch %s: %v", bad, err)
		}
	}
}

func plan(m *made) Plan { return Plan{Name: "test", Sets: m.study.Sets} }

// A plan ends with every figure and table, and one page that shows them all.
func TestWrite(t *testing.T) {
	m := newMade()
	var shown []Progress
	r, err := Do(context.Background(), m, plan(m), Options{Images: m.refs, Progress: func(p Progress) { shown = append(shown, p) }})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Runs) != len(m.study.Sets)*3 || len(r.Plan.Observers) != len(m.study.Observers) {
		t.Fatalf("%d runs, observers %v", len(r.Runs), r.Plan.Observers)
	}
	last := -1.0
	for _, p := range shown {
		if p.Done < last || p.Done > 1 {
			t.Errorf("progress goes from %v to %v", last, p.Done)
		}
		last = p.Done
	}
	dir := t.TempDir()
	warnings, err := r.Write(dir)
	if err != nil || warnings != nil {
		t.Fatal(warnings, err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 7 {
		name := "figure" + string(rune('1'+i))
		if !strings.Contains(string(page), `id="`+name+`"><div class="scroll"><img src="data:image/png;base64,iVBOR`) {
			t.Errorf("the page lacks %s", name)
		}
		for _, ending := range []string{".png", ".svg", ".pdf"} {
			if _, err := os.Stat(filepath.Join(dir, name+ending)); err != nil {
				t.Error(err)
			}
		}
	}
	for _, want := range []string{"table1", "table5", "differences", "rows.csv", "arXiv:2504.01739"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	text := regexp.MustCompile(`base64,[^"]*`).ReplaceAllString(string(page), "")
	for _, not := range []string{"<script", "http-equiv", "ZgotmplZ", "NaN"} {
		if strings.Contains(text, not) {
			t.Errorf("the page has %s", not)
		}
	}
	rows, err := metamer.LoadRows(filepath.Join(dir, "rows.csv"))
	if err != nil || len(rows) != len(m.study.Rows) {
		t.Errorf("%d rows: %v", len(rows), err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

// A plan that does not ask for a measure, or has no single models, has no figures of
// them and no warnings about them.
func TestUnasked(t *testing.T) {
	m := newMade()
	p := plan(m)
	p.Measures = []string{"recognizability", "success"}
	r, err := Do(context.Background(), m, p, Options{Images: m.refs})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if warnings, err := r.Write(dir); warnings != nil || err != nil {
		t.Fatal(warnings, err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "index.html"))
	if err != nil || !strings.Contains(string(page), "<p>Figures 4, 5, 6 and 7 are left out: the plan does not measure them.</p>") {
		t.Error("the page does not say what the plan does not ask for", err)
	}
	if drawn, _ := filepath.Glob(filepath.Join(dir, "figure*.png")); len(drawn) != 3 {
		t.Errorf("drawn: %v", drawn)
	}
	r.Plan.Measures = nil
	r.Plan.Sets = slices.DeleteFunc(slices.Clone(r.Plan.Sets), single)
	if got := r.Available(FigureNames); len(got) != 5 || !slices.Equal(r.leftOut(got), []string{"Figures 6 and 7 are left out: the plan has no single models."}) {
		t.Errorf("%v: %s", got, r.leftOut(got))
	}
}

// Aliases become names; what cannot be had is said before anything begins.
func TestResolve(t *testing.T) {
	m := newMade()
	p := plan(m)
	p.Sets = [][]string{{"twenty"}}
	r, err := Do(context.Background(), m, p, Options{Images: m.refs})
	if err != nil || r.Plan.Sets[0][0] != "resnet20" || r.Run([]string{"resnet20"}, "late") == nil {
		t.Errorf("%+v %v", r, err)
	}
	m.asked = 0
	p.Sets = [][]string{{"resnet20"}, {"resnet21"}}
	var unknown *metamer.UnknownError
	if _, err := Do(context.Background(), m, p, Options{Images: m.refs}); !errors.As(err, &unknown) || m.asked > 0 {
		t.Errorf("%v after %d requests", err, m.asked)
	}
	m.missing = "vgg11"
	p.Sets = [][]string{{"resnet20"}, {"resnet20", "vgg11"}}
	if _, err := Do(context.Background(), m, p, Options{Images: m.refs}); err == nil || !strings.Contains(err.Error(), "get vgg11") || m.asked > 0 {
		t.Errorf("%v after %d requests", err, m.asked)
	}
	m.failAt = 2
	p.Sets = m.study.Sets[:1]
	if _, err := Do(context.Background(), m, p, Options{Images: m.refs}); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "middle") {
		t.Error(err)
	}
}

func TestPlans(t *testing.T) {
	for _, n := range Names() {
		if p, err := Load(n); err != nil || p.Name != n {
			t.Errorf("%s: %+v %v", n, p, err)
		}
	}
	for name, c := range map[string]struct{ text, want string }{
		"empty":       {"", "empty"},
		"no sets":     {"name: x", "sets"},
		"unknown key": {"sets: [[a]]\nstagse: [late]", "stagse"},
		"twice":       {"sets: [[a], [a]]", "twice"},
		"optimiser":   {"sets: [[a]]\nsettings: {optimizer: {name: pdg}}", "pgd"},
		"steps":       {"sets: [[a]]\nsettings: {steps: -1}", "steps"},
		"precision":   {"sets: [[a]]\nsettings: {precision: half}", "mixed"},
		"type":        {"sets: resnet20", "sets"},
		"binary":      {"\x00\xff", ""},
		"stage twice": {"sets: [[a]]\nstages: [late, late]", "stages: late appears twice"},
		"observers":   {"sets: [[a]]\nobservers: [a, b, a]", "observers: a appears twice"},
		"key twice":   {"sets: [[a]]\nname: a\nname: b", "name"},
		"documents":   {"sets: [[a]]\n---\nsets: [[b]]", "second document"},
	} {
		if _, err := Parse([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		} else {
			t.Logf("%s: %v", name, err)
		}
	}
	p, err := Parse([]byte("sets: [[a]]\nsettings: {precision: mixed}"))
	if err != nil || p.Recipe([]string{"a"}, "late").Precision != "mixed" || !strings.Contains(p.Describe(), "mixed") {
		t.Errorf("%+v: %s, %v", p.Settings, p.Describe(), err)
	}
	one, two := &Speeds{Computes: "test"}, p
	two.Settings.Precision = ""
	if one.key(p, "a", "late", 16, 32) == one.key(two, "a", "late", 16, 32) {
		t.Error("a step in mixed precision has the speed of one in float32")
	}
	dir := t.TempDir()
	marked, fifo := filepath.Join(dir, "marked.yaml"), filepath.Join(dir, "fifo.yaml")
	if err := os.WriteFile(marked, []byte(paths.BOM+"---\nname: marked\nsets: [[a]]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if p, err := Load(marked); err != nil || p.Name != "marked" {
		t.Errorf("a byte order mark: %+v %v", p, err)
	}
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(fifo); err == nil || !strings.Contains(err.Error(), fifo+" is a FIFO") {
		t.Errorf("a FIFO: %v", err)
	}
	if _, err := Load("frist"); err == nil || !strings.Contains(err.Error(), "first") {
		t.Error(err)
	}
	if _, err := Load(filepath.Join(t.TempDir(), "no.yaml")); err == nil {
		t.Error("a missing file is a plan")
	}
}

// Two of four equal parts took a second each, half of the third too.
func TestClock(t *testing.T) {
	c := newClock([]float64{1, 1, 1, 1}, false)
	c.begin(0)
	c.end(false) // was there already: says nothing of the others
	if done, left := c.state(); done != 0.25 || left != 0 {
		t.Error(done, left)
	}
	c.begin(1)
	c.began = c.began.Add(-1e9)
	c.end(true)
	c.begin(2)
	c.began, c.share = c.began.Add(-5e8), 0.5
	if done, left := c.state(); done != 0.625 || math.Abs(left.Seconds()-1.5) > 0.05 {
		t.Error(done, left)
	}
}

// With expected seconds there is a time left from the beginning; what the parts take
// changes it by and by.
func TestClockOfSeconds(t *testing.T) {
	c := newClock([]float64{30, 0, 60, 30}, true)
	if done, left := c.state(); done != 0 || left != 120*time.Second {
		t.Error(done, left)
	}
	c.begin(1)
	c.end(false)
	c.begin(0)
	c.began = c.began.Add(-60 * time.Second) // twice as long as expected
	c.end(true)
	if done, left := c.state(); done != 0.25 || math.Abs(left.Seconds()-1.5*90) > 0.1 {
		t.Error(done, left)
	}
}

func FuzzPlan(f *testing.F) {
	for _, n := range Names() {
		data, err := plans.ReadFile("plans/" + n + ".yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, err := Parse(data); err == nil && len(p.Sets) == 0 {
			t.Errorf("accepted %+v", p)
		}
	})
}
