package study

import (
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/ensemble-metamers/metamers/metamerkit/figures"
	"github.com/ensemble-metamers/metamers/metamerkit/figures/figurestest"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// A plan with pairs has each set alone and against each other set that shares no model with it.
func TestPlanPairs(t *testing.T) {
	p, err := Parse([]byte("sets: [[a], [b], [a, c]]\npairs: true\nstages: [late]\nsettings: {against: {stage: middle, level: 0.1}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range p.Cells() {
		r := p.Of(c)
		if (r.Against == nil) != (c.Against == nil) || r.Against != nil && (r.Against.Stage != "middle" || r.Against.Level != 0.1 || r.Against.Loss != "correlation") {
			t.Errorf("%+v: %+v", c, r.Against)
		}
		if one := p.Only(c); len(one.Cells()) != 1 || one.Of(one.Cells()[0]).ID() != r.ID() {
			t.Errorf("%+v alone is another run", c)
		}
		got = append(got, strings.Join(c.Set, "+")+"|"+strings.Join(c.Against, "+"))
	}
	if want := []string{"a|", "b|", "a+c|", "a|b", "b|a", "b|a+c", "a+c|b"}; !slices.Equal(got, want) {
		t.Errorf("cells %v, expected %v", got, want)
	}
	text, err := yaml.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Parse(text); err != nil || len(again.Cells()) != 7 || again.Of(again.Cells()[3]).ID() != p.Of(p.Cells()[3]).ID() {
		t.Errorf("%v\n%s", err, text)
	}
	for text, want := range map[string]string{
		"sets: [[a], [b]]\npairs: true\nsettings: {against: {models: [c]}}\n":        "expected none",
		"sets: [[a], [b]]\npairs: true\nsettings: {variants: 2}\n":                   "variants",
		"sets: [[a]]\npairs: true\n":                                                 "at least two",
		"sets: [[a], [b]]\npairs: true\nsettings: {paper: true, start: reference}\n": "start",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	q, err := Parse([]byte("sets: [[resnet20], [resnet20, vgg11]]\npairs: true\n"))
	if err != nil {
		t.Fatal(err)
	}
	models, _ := newMade().Models(t.Context())
	if _, _, err := q.resolved(models, false); err == nil || !strings.Contains(err.Error(), "share a model") {
		t.Error(err)
	}
}

// A forecast has each pair, whose steps evaluate both models.
func TestForecastPairs(t *testing.T) {
	m := newMade() // six images
	p := Plan{Sets: [][]string{{"resnet20"}, {"vgg11"}}, Pairs: true, Stages: []string{"late"}, Observers: []string{"vgg11"}, Measures: []string{"recognizability"}, Settings: Settings{Steps: 40, Optimizer: metamer.Optimizer{Name: "adam"}, Batch: 6}}.WithDefaults()
	s := &Speeds{Computes: "test", Of: map[string]Speed{}, Evaluations: map[string]EvaluationSpeed{}}
	s.Of[s.key(p, "resnet20", "late", 6, 16)] = Speed{Compile: 7, Step: 0.1, Images: 6}
	s.Of[s.key(p, "vgg11", "late", 6, 16)] = Speed{Compile: 5, Step: 0.3, Images: 6}
	s.Evaluations[s.evaluationKey(p, "vgg11", "late", 16)] = EvaluationSpeed{Each: 1, Images: 6}
	f := p.Forecast(s, nil, m.refs, func(metamer.Recipe, int) (bool, bool) { return false, false })
	if f.Unknown != nil || len(f.Parts) != 4 || f.Evaluations != 4 || f.Gradients != 6*(40+40+80+80) {
		t.Errorf("%+v", f)
	}
	if a := f.Parts[2]; !slices.Equal(a.Against, []string{"vgg11"}) || a.Expected.Seconds() < 40*(0.1+0.3) {
		t.Errorf("%+v", a)
	}
}

// Rows of pairs, wherever they come from, give Figure 8 and Table 6; the other figures and the
// claims are those of the sets alone.
func TestAgainPairs(t *testing.T) {
	s := figurestest.Pairs()
	rows := metamer.Rows{}
	for _, r := range s.Rows { // the sets alone have a run of their own
		if len(strings.Split(r.Set, "+")) > 1 {
			continue
		}
		if r.Set != "" && r.Against() == nil {
			r.Run, r.Made = "alone"+r.Set+r.Stage, metamer.Recipe{Images: metamer.ImageRef{Name: "made up", Count: 16, Size: 32}}.Made()
		}
		rows = append(rows, r)
	}
	a := &Again{Rows: rows, Cards: s.Cards}
	r, _, err := a.Result()
	if err != nil || !r.Plan.Pairs {
		t.Fatal(err)
	}
	parts := r.Available([]string{"figure5", "figure8", "table6"})
	if !slices.Equal(parts, []string{"figure5", "figure8", "table6"}) {
		t.Error(parts)
	}
	if _, _, err := r.Save(t.TempDir(), parts, []string{"svg", "csv"}, 0); err != nil {
		t.Error(err)
	}
	f, err := r.Parting()
	if err != nil || !strings.Contains(f.Caption, "against {each other set}") || !strings.Contains(f.Caption, "rank correlation of the two distances over 15 pairs: middle ") {
		t.Errorf("%v: %v", f, err)
	}
	table := figures.Settings(r.made()...).Markdown()
	if !strings.Contains(table, "each other set at middle") {
		t.Error(table)
	}
	if _, err := r.Claims(); err != nil { // of one run a set and stage
		t.Error(err)
	}
	without := &Again{Rows: rows.Where(func(row metamer.Row) bool { return row.Against() == nil }), Cards: s.Cards}
	plain, _, err := without.Result()
	if err != nil || plain.Plan.Pairs || slices.Contains(plain.Available([]string{"figure8"}), "figure8") {
		t.Errorf("pairs %v: %v", plain.Plan.Pairs, err)
	}
	one, err1 := r.Divergence()
	two, err2 := plain.Divergence()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	x, _ := one.SVG()
	y, _ := two.SVG()
	if string(x) != string(y) {
		t.Error("Figure 5 depends on rows of pairs")
	}
}
