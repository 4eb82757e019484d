package study

import (
	"context"
	"html"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

var (
	inlined = regexp.MustCompile(`base64,[^"]*|(?s)<style>.*</style>`)
	tag     = regexp.MustCompile(`<[^>]*>`)
	blanks  = regexp.MustCompile(`\s+`)
)

// paged carries a plan out with made-up results and returns the text of its page, and
// the page.
func paged(t *testing.T, m *made, p Plan, null metamer.Null) (text, page string, r *Result) {
	t.Helper()
	for _, run := range m.runs { // as the plan has them made
		refs, trace := run.Recipe.Images, run.Trace
		run.Recipe = p.Recipe(run.Recipe.ModelNames(), run.Recipe.Stage)
		if run.Recipe.Choices() != nil { // as the engine does
			run.Recipe = run.Recipe.Chosen("lbfgs")
		}
		run.Recipe.Images, run.Trace, run.Statistics, run.Nulls = refs, trace, nil, nil
		for _, member := range run.Recipe.ModelNames() {
			null.Member = member
			run.Nulls = append(run.Nulls, null)
			for i := range refs.Count {
				verdict := map[bool]string{true: metamer.Pass, false: metamer.Fail}[i > 0]
				if null.Untested() != "" {
					verdict = metamer.NotTested
				}
				run.Statistics = append(run.Statistics, metamer.MatchStatistics{Image: i, Member: member, Loss: 0.125, Pearson: 0.75, Spearman: 0.8125, SNR: 18, SameClass: true, Verdict: verdict})
			}
		}
	}
	r, err := Do(context.Background(), m, p, Options{Images: m.refs})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if warnings, err := r.Write(dir); warnings != nil || err != nil {
		t.Fatal(warnings, err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	if sheets, _ := filepath.Glob(filepath.Join(dir, "sheet_*.png")); len(sheets) != len(r.Plan.Sets) {
		t.Errorf("contact sheets: %v", sheets)
	}
	page = inlined.ReplaceAllString(string(data), "")
	return blanks.ReplaceAllString(html.UnescapeString(tag.ReplaceAllString(page, " ")), " "), page, r
}

// Each statement of a page is true of the plan that it is of: two plans that are made
// otherwise have other texts.
func TestPageSaysWhatWasDone(t *testing.T) {
	small := func(m *made) Plan {
		return Plan{Name: "small", Sets: m.study.Sets[:2], Stages: []string{"late"}, Measures: []string{"recognizability", "success"}}
	}
	of := map[string][]string{
		"pgd": {"pgd: step size × gradient", "the step size is 1, halved at 8 equal intervals", "the active model switches every 10 steps, in the order of the set", "passes the gradient unchanged", "schedule one model, every step for single models; switch every 10 steps, order given for ensembles",
			"N(0.5, 0.05) clamped to [0,1] by the seed 0", "null distribution 2016 pairs of photos:64, SHA-256 abababababab…", "Null distribution: 2016 pairs of photos:64."},
		"fast": {"lbfgs with a memory of 10 pairs", "all members are evaluated at every step and their losses averaged", "one-sided residual", "20 for single models; 10 (20 gradient evaluations an image) for ensembles",
			"uniform in [0,1) by the seed 7", "all runs have the seed 7", "null distribution 30 random pairs of the run's own references"},
	}
	both := []string{"6 images of 16² pixels", "late 10 of 12", "relative L2 distance 0.125", "Pearson 0.750", "most similar pair of the null distribution 0.501",
		"relative L2 distance of each image (Feather et al. 2023)", "2 convolutional networks", "Figures 4, 5, 6 and 7 are left out: the plan does not measure them.", "layer3 (a reason, of words)",
		"This plan does not test the paper's claims.", "Boehm et al. 2025", "github.com/ensemble-metamers/metamers", "weights: made up, none."}
	texts := map[string]string{}
	nulls := map[string]metamer.Null{
		"pgd":  {Set: "photos:64", SHA256: strings.Repeat("ab", 32), Pairs: 2016, Pearson: 0.5, Spearman: 0.6, SNR: 6},
		"fast": {Pairs: 30, Pearson: 0.5, Spearman: 0.6, SNR: 6},
	}
	for name, settings := range map[string]Settings{
		"pgd":  {Paper: true, Steps: 20},
		"fast": {Steps: 20, Optimizer: metamer.Optimizer{Name: "fast"}, Start: "uniform", Seed: 7},
	} {
		m := newMade()
		m.study.Observers = m.study.Observers[:2]
		p := small(m)
		p.Settings = settings
		text, page, _ := paged(t, m, p, nulls[name])
		texts[name] = text
		order := []string{`id="answers"`, `id="match"`, `id="losses"`, `id="sheets"`, `id="paper"`, `id="figure1"`, `id="table1"`, `id="differences"`, `id="cite"`, `id="data"`}
		for i, id := range order {
			if at := strings.Index(page, id); at < 0 || i > 0 && at < strings.Index(page, order[i-1]) {
				t.Errorf("%s: %s stands at %d", name, id, at)
			}
		}
	}
	for name, text := range texts {
		for _, want := range append(of[name], both...) {
			if !strings.Contains(text, want) {
				t.Errorf("%s: the page does not say %q", name, want)
			}
		}
		for other, list := range of {
			for _, not := range list {
				if other != name && strings.Contains(text, not) {
					t.Errorf("%s: the page says %q", name, not)
				}
			}
		}
		for _, not := range []string{"1000 random pairs", "JSD of Pearson", "supported", "undecided", "NaN", "%!"} {
			if strings.Contains(text, not) {
				t.Errorf("%s: the page says %q", name, not)
			}
		}
	}
	if t.Failed() {
		t.Log(texts["pgd"])
		t.Log(texts["fast"])
	}
}

// JSD of few images is on no page, for the members of a set neither, and what older
// versions measured of it is not drawn.
func TestPageWithholdsFew(t *testing.T) {
	m := newMade()
	for i := range m.study.Rows {
		if m.study.Rows[i].Measure == metamer.JSD {
			m.study.Rows[i].Count = 4
		}
	}
	why := metamer.TooFew(4, metamer.MinImages)
	p := Plan{Name: "few", Sets: m.study.Sets[:2], Stages: []string{"late"}, Measures: []string{"recognizability", "jsd"}}
	text, page, r := paged(t, m, p, metamer.Null{Set: metamer.NoNull})
	for _, want := range []string{"Figures 5 and 7 are left out: " + why + ".", "withheld: " + why, "no image is tested: there is no null set", "Images that are metamers for every member of their set: late not tested. Null distribution: none."} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	for _, not := range []string{"null pairs", "is a metamer when", "a disc marks", "A disc marks", "a ring marks", "null: nearest", "largest p"} {
		if strings.Contains(text, not) {
			t.Errorf("nothing is tested, and the page says %q", not)
		}
	}
	if !strings.Contains(text, "A bar marks an image that is not tested. Below each") || !strings.Contains(text, " Ensemble metamers: few ") {
		t.Error("the page does not say what its marks or its sets are")
	}
	if strings.Contains(page, `id="figure5"`) || strings.Contains(page, `id="figure7"`) {
		t.Error("JSD of four images is drawn")
	}
	if _, err := r.Figure("figure5"); err == nil || !strings.Contains(err.Error(), why) {
		t.Errorf("figure5: %v", err)
	}
	if _, err := r.Table("claims"); err == nil || !strings.Contains(err.Error(), "does not test the paper's claims") {
		t.Errorf("claims: %v", err)
	}
	for i := range r.Rows {
		r.Rows[i].Count = 16
	}
	if r.withheld() != "" || !slices.Contains(r.Available(FigureNames), "figure5") {
		t.Errorf("16 images: %q", r.withheld())
	}
}

// A plan of single models speaks of no ensembles and draws no figure twice; one with both
// says which figure is of which.
func TestPageOfSingleModels(t *testing.T) {
	m := newMade()
	p := Plan{Name: "alone", Sets: m.study.Sets[:1], Stages: []string{"late"}, Measures: []string{"metrics"}}
	for _, run := range m.runs {
		run.Cached, run.Seconds = true, 30
	}
	text, page, r := paged(t, m, p, metamer.Null{Set: "photos:64", Pairs: 2016, Pearson: 0.5, Spearman: 0.6, SNR: 6})
	for _, want := range []string{" Metamers: alone ", "How metamers are made and evaluated.", "until the model has the reference's activations", "Image metrics of metamers of single models by stage",
		"Figures 6 and 7 are left out: the plan has no ensembles, so that Figures 4 and 5 would be the same.", "from 1 run that was stored. The synthesis of all runs took 30s when they were made.", "A disc marks"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	for _, not := range []string{"nsemble metamers: ", "How ensemble metamers", "the command took", "Most memory held"} {
		if strings.Contains(text, not) {
			t.Errorf("the page says %q", not)
		}
	}
	if strings.Contains(page, `id="figure6"`) {
		t.Error("Figure 4 is drawn twice")
	}
	r.Plan.Sets = m.study.Sets[:2]
	r.Rows = m.study.Rows
	for name, want := range map[string]string{"figure4": "metamers of ensembles by stage", "figure6": "metamers of single models by stage", "figure5": "metamers of ensembles and of references", "figure7": "metamers of single models and of references"} {
		if f, err := r.Figure(name); err != nil || !strings.Contains(f.Caption, want) {
			t.Errorf("%s: %v, expected %q", name, err, want)
		}
	}
}

// A loss that falls by half over the last tenth is not at rest, one that stands is; a
// trace that ends early, or has no last tenth, tells nothing.
func TestAtRest(t *testing.T) {
	run := &metamer.Run{Recipe: metamer.Recipe{Models: []metamer.ModelRef{{Name: "a"}, {Name: "b"}}, Images: metamer.ImageRef{Count: 3}, Loss: "relative-l2"}}
	tr := &run.Trace
	for step := range 100 {
		flat, falls := float32(0.5), float32(math.Exp2(-float64(step)/10))
		if step < 50 {
			flat = 1
		}
		tr.Step, tr.Member, tr.Image = append(tr.Step, step), append(tr.Member, step/10%2), append(tr.Image, 0)
		tr.Loss = append(tr.Loss, []float32{flat, falls, float32(math.NaN())})
	}
	if rest, told := atRest(run); rest != 1 || told != 2 {
		t.Errorf("%d of %d at rest, expected 1 of 2", rest, told)
	}
	if v := started(run, 0); v != 1 {
		t.Errorf("started at %v", v)
	}
	if v := started(run, 1); !math.IsNaN(v) {
		t.Errorf("member b, whose first step is the tenth, started at %v", v)
	}
	tr.Step, tr.Member, tr.Image, tr.Loss = tr.Step[:1], tr.Member[:1], tr.Image[:1], tr.Loss[:1]
	if rest, told := atRest(run); rest+told != 0 {
		t.Errorf("one step: %d of %d at rest", rest, told)
	}
}
