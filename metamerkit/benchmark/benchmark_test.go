package benchmark

import (
	"math"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

func run(optimizer string, members int, trace metamer.Trace, final ...float64) *metamer.Run {
	r := metamer.Recipe{Steps: 4, Optimizer: metamer.Optimizer{Name: optimizer}, Images: metamer.ImageRef{Count: 2}}
	out := &metamer.Run{Trace: trace}
	for m := range members {
		r.Models = append(r.Models, metamer.ModelRef{Name: string(rune('a' + m))})
		for i, v := range final {
			out.Statistics = append(out.Statistics, metamer.MatchStatistics{Image: i, Member: r.Models[m].Name, Loss: v})
		}
	}
	out.Recipe = r.WithDefaults()
	return out
}

// Evaluations are steps where one member is active, and steps times members where all
// are; the loss of an image is the mean of what its members showed last.
func TestCurves(t *testing.T) {
	switched := curveOf(run("pgd", 2, metamer.Trace{
		Step: []int{0, 1, 2, 3}, Member: []int{0, 1, 0, 1}, Image: []int{0, 0, 0, 0},
		Loss: [][]float32{{1, 2}, {3, 4}, {0.5, 1}, {1, 2}},
	}))
	if len(switched.At) != 3 || switched.At[0] != 2 || switched.At[2] != 4 || switched.Loss[0][0] != 2 || switched.Loss[2][1] != 1.5 {
		t.Errorf("one member at a time: %+v", switched)
	}
	all := curveOf(run("lbfgs", 2, metamer.Trace{ // two batches of one image
		Step: []int{0, 0, 1, 1, 0, 0, 1, 1}, Member: []int{0, 1, 0, 1, 0, 1, 0, 1}, Image: []int{0, 0, 0, 0, 1, 1, 1, 1},
		Loss: [][]float32{{1}, {3}, {0.5}, {0.7}, {2}, {2}, {1}, {1}},
	}))
	if len(all.At) != 2 || all.At[0] != 2 || all.At[1] != 4 || all.Loss[0][0] != 2 || math.Abs(all.Loss[1][0]-0.6) > 1e-6 || all.Loss[1][1] != 1 {
		t.Errorf("all members at once: %+v", all)
	}
	both := average([]Curve{all, {At: []int{2, 4}, Loss: [][]float64{{4, 4}, {1, 1}}}})
	if both.Loss[0][0] != 3 || both.Loss[1][1] != 1 {
		t.Errorf("the mean of two seeds: %+v", both)
	}
}

func TestShare(t *testing.T) {
	base := &Cell{Runs: []*metamer.Run{run("pgd", 1, metamer.Trace{})}, Final: []float64{0.4, 0.6}}
	c := &Cell{Curve: Curve{At: []int{1, 2, 3}, Loss: [][]float64{{1, 1}, {0.5, 0.5}, {0.1, 0.1}}}}
	// The baseline ends at .5 with 4 evaluations; that is reached after 2. Where only
	// its better image is drawn, .4 is reached after 3.
	v, low, high := share(c, base)
	if v != 0.5 || low != 0.5 || high != 0.75 {
		t.Errorf("%v (%v to %v), expected .5 (.5 to .75)", v, low, high)
	}
	c.Curve.Loss[1], c.Curve.Loss[2] = []float64{1, 1}, []float64{1, 1}
	if v, _, _ := share(c, base); !math.IsNaN(v) {
		t.Errorf("a loss that is not reached is reached after %v", v)
	}
}

func TestPlans(t *testing.T) {
	p, err := Load("../../bench/fast.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range p.Methods {
		for _, set := range p.Sets {
			if r := p.recipe(m, set, "late", 0); r.Evaluations(r.Steps) != p.Evaluations {
				t.Errorf("%s takes %d steps for %v, which are %d evaluations, expected %d", m.Name, r.Steps, set, r.Evaluations(r.Steps), p.Evaluations)
			}
		}
	}
	for _, name := range []string{"fast-variants", "fast-224", "fast-224-tokens", "fast-full"} {
		if _, err := Load("../../bench/" + name + ".yaml"); err != nil {
			t.Error(err)
		}
	}
	two := "sets: [[a]]\nmethods: [{name: x}, {name: "
	for text, want := range map[string]string{
		"sets: [[a]]\nmethods: [{name: x}]":               "expected at least",
		two + "x}]":                                       "twice",
		two + "y, settings: {optimizer: {name: lbgfs}}}]": "lbgfs",
		two + "y, settings: {steps: 3}}]":                 "expected evaluations",
		two + "y, settings: {optimizer: {name: lbfgs}, schedule: {kind: switch}}}]": "average",
		two + "y, speed: 3}]":                                                              "speed",
		"stages: [late, late]\n" + two + "y}]":                                             "stages: late appears twice",
		"seeds: [1, 2, 1]\n" + two + "y}]":                                                 "seeds: 1 appears twice",
		"sets: [[a], [a]]\nmethods: [{name: x}, {name: y}]":                                "sets: a appears twice",
		two + "y}]\n---\nsets: [[a]]":                                                      "second document",
		"sets: [[a]]\nmethods: [{name: x, at the baseline's loss: true}, {name: y}]":       "baseline",
		"sets: [[a]]\nevaluations: -1\nmethods: [{name: x}, {name: y}]":                    "at least 1",
		"sets: [[a]]\nmethods: [{name: x}, {name: y, settings: {optimizer: {metric: 2}}}]": "metric",
		"sets: [[a]]\nmethods: [{name: x}, {name: y, settings: {against: {models: [b]}}}]": "y is against other models",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, expected an error with %q", text, err, want)
		}
	}
}
