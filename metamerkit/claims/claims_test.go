package claims

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

var cards = map[string]*card.Card{
	"a": {Kind: "cnn", Training: "standard"}, "b": {Kind: "cnn", Training: "standard"}, "c": {Kind: "cnn", Training: "robust"},
	"t": {Kind: "transformer", Training: "standard"}, "o": {Kind: "cnn", Training: "robust"},
}

// world makes rows where a set's metamers are recognized with probability p(set,
// stage), their one metric lies far(set) standard deviations from the reference's,
// and JSD is that of non(member).
func world(images int, p func(set, stage string) float64, far func(set string) float64, jsd func(member bool) float64) (rows metamer.Rows) {
	nan := math.NaN()
	rng := rand.New(rand.NewPCG(5, 5))
	add := func(r metamer.Row) { r.Low, r.High = nan, nan; rows = append(rows, r) }
	for i := range images {
		add(metamer.Row{Image: i, Measure: "entropy", Value: float64(i%7) + 10})
	}
	for _, set := range []string{"a", "b", "t", "a+b"} {
		for _, stage := range metamer.Stages {
			for i := range images {
				add(metamer.Row{Run: set + stage, Set: set, Stage: stage, Image: i, Measure: "entropy", Value: float64(i%7) + 10 + far(set) + 0.1*rng.NormFloat64()})
			}
			for _, obs := range []string{"a", "b", "t", "o"} {
				member := slices.Contains(members(set), obs)
				for i := range images {
					v := 0.0
					if rng.Float64() < p(set, stage) {
						v = 1
					}
					add(metamer.Row{Run: set + stage, Set: set, Stage: stage, Observer: obs, Member: member, Image: i, Measure: metamer.Recognizability, Value: v})
				}
				add(metamer.Row{Run: set + stage, Set: set, Stage: stage, Observer: obs, Member: member, Image: -1, Measure: metamer.JSD, Value: jsd(member) + 0.01*rng.Float64()})
			}
		}
	}
	return rows
}

func verdicts(t *testing.T, rows metamer.Rows) map[string]Claim {
	t.Helper()
	list, err := Of(rows, cards, Options{Bootstrap: evaluate.Bootstrap{Resamples: 500}})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]Claim{}
	for _, c := range list {
		t.Log(c)
		out[c.Name] = c
	}
	if len(out) != 5 {
		t.Errorf("%d claims, expected 5", len(out))
	}
	return out
}

func TestVerdicts(t *testing.T) {
	paper := func(set, stage string) float64 {
		switch {
		case set == "t":
			return 0.4
		case set == "a+b" || stage == "early":
			return 0.9
		}
		return 0.6
	}
	far := func(set string) float64 {
		if set == "t" {
			return 0.2
		}
		return 2
	}
	jsd := func(member bool) float64 {
		if member {
			return 0.1
		}
		return 0.3
	}
	for name, c := range verdicts(t, world(60, paper, far, jsd)) {
		if c.Verdict != Supported || !(c.Low <= c.Number && c.Number <= c.High) || c.Test == "" {
			t.Errorf("as in the paper, %s: %+v", name, c)
		}
	}
	opposite := verdicts(t, world(60, func(set, stage string) float64 { return 1.1 - paper(set, stage) }, func(set string) float64 { return 2.2 - far(set) }, func(m bool) float64 { return jsd(!m) }))
	for name, c := range opposite {
		if c.Verdict != NotSupported {
			t.Errorf("the opposite of the paper, %s: %+v", name, c)
		}
	}
	chance := verdicts(t, world(60, func(string, string) float64 { return 0.5 }, func(string) float64 { return 1 }, func(bool) float64 { return 0.2 }))
	for name, c := range chance {
		if c.Verdict != Undecided || math.IsNaN(c.Number) {
			t.Errorf("without a difference, %s: %+v", name, c)
		}
	}
	// The difference of the worlds is the number: .9 against .6 at two stages of three.
	if c := verdicts(t, world(400, paper, far, jsd))["ensembles"]; math.Abs(c.Number-0.2) > 0.03 {
		t.Errorf("ensembles: %v, expected about 0.2", c.Number)
	}
}

func TestNothingToCompare(t *testing.T) {
	all := world(10, func(string, string) float64 { return 0.5 }, func(string) float64 { return 1 }, func(bool) float64 { return 0.2 })
	for name, c := range verdicts(t, all.Where(func(r metamer.Row) bool { return r.Set == "a" })) {
		if name != "divergence" && (c.Verdict != NotTested || !math.IsNaN(c.Number) || !strings.HasPrefix(c.Basis, "no ")) {
			t.Errorf("one set, %s: %+v", name, c)
		}
	}
	// Four images can decide nothing about images, even where all agree; five claims then
	// say what they need.
	few := verdicts(t, world(4, func(set, _ string) float64 { return b2f(set == "a+b") }, func(string) float64 { return 1 }, func(bool) float64 { return 0.2 }))
	for name, c := range few {
		if want := map[bool]string{true: Undecided, false: NotTested}[name == "divergence"]; c.Verdict != want || c.Needs == "" {
			t.Errorf("four images, %s: %+v", name, c)
		}
	}
	if got := Untested([]Claim{few["ensembles"], few["divergence"]}); !strings.HasPrefix(got, "Not tested by this plan: “Ensembles' metamers") || !strings.Contains(got, "at least 8 images; here: ") || !strings.Contains(got, "4 images") {
		t.Error(got)
	}
	if got := Untested([]Claim{few["ensembles"]}); !strings.HasPrefix(got, "This plan does not test the paper's claims. They need at least 8 images (JSD 16), ") {
		t.Error(got)
	}
	if got := Tested([]Claim{few["ensembles"], few["divergence"]}); len(got) != 1 || got[0].Name != "divergence" || Untested(got) != "" {
		t.Errorf("%+v", got)
	}
	if _, err := Of(nil, nil, Options{}); err != nil {
		t.Errorf("no rows: %v", err)
	}
	again := all.Where(func(r metamer.Row) bool { return r.Set == "a" && r.Stage == "late" })
	for i := range again {
		again[i].Run = "another"
	}
	if _, err := Of(append(all, again...), cards, Options{}); err == nil || !strings.Contains(err.Error(), "another") {
		t.Errorf("two runs of a set: %v", err)
	}
}

func b2f(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Variants of an image count as one image: rows of them give what rows of their means give.
func TestVariantsAreOneImage(t *testing.T) {
	recipe := metamer.Recipe{Variants: &metamer.Variants{Count: 2, Metric: "pixels"}, Images: metamer.ImageRef{Count: 24, Size: 32}}
	var variants, means metamer.Rows
	for s, set := range []string{"a", "b"} {
		for i := range 12 {
			x, y := float64((i*7+s*3)%5), float64((i*3+s)%4)
			row := metamer.Row{Run: set, Set: set, Stage: "late", Measure: "noise", Count: 1}
			for k, v := range []float64{x, y} {
				row.Image, row.Value, row.Made = 2*i+k, v, recipe.Made()
				if i == 3 && k == 1 {
					row.Value = math.NaN() // of this image one variant has a value
				}
				variants = append(variants, row)
			}
			row.Image, row.Value, row.Made = i, (x+y)/2, nil
			if i == 3 {
				row.Value = x
			}
			means = append(means, row)
		}
	}
	a, err1 := Compare(variants, "noise", evaluate.Bootstrap{})
	b, err2 := Compare(means, "noise", evaluate.Bootstrap{})
	if err1 != nil || err2 != nil || len(a) != 1 || a[0].Images != 12 || !reflect.DeepEqual(a, b) {
		t.Errorf("%v %v\n%+v\n%+v", err1, err2, a, b)
	}
}
