package claims

import (
	"math"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Sets are compared over the same images by observers of neither set; a difference that
// is there is found after the correction, one that is not is not.
func TestCompare(t *testing.T) {
	rows := world(60, func(set, _ string) float64 { return map[string]float64{"a": 0.2, "b": 0.25, "t": 0.9, "a+b": 0.3}[set] },
		func(set string) float64 { return map[string]float64{"t": 3}[set] }, func(bool) float64 { return 0 })
	boot := evaluate.Bootstrap{Resamples: 500}
	list, err := Compare(rows, metamer.Recognizability, boot)
	if err != nil || len(list) != 3*6 {
		t.Fatalf("%d comparisons: %v", len(list), err)
	}
	found := 0
	for _, c := range list {
		t.Log(c)
		for _, o := range c.Observers {
			if strings.Contains("+"+c.A+"+"+c.B+"+", "+"+o+"+") {
				t.Errorf("%v is evaluated by a member", c)
			}
		}
		if c.Images != 60 || !(c.Low <= c.Difference && c.Difference <= c.High) || c.Holm < c.P {
			t.Errorf("%+v", c)
		}
		with := c.A == "t" || c.B == "t"
		if significant := c.Holm <= 0.05; significant != with {
			t.Errorf("%v: significant %v", c, significant)
		}
		if want := map[bool]string{true: "McNemar", false: "Wilcoxon"}[len(c.Observers) == 1]; c.Test != want {
			t.Errorf("%v: expected the test %s", c, want)
		}
		if with {
			found++
		}
	}
	if found != 9 {
		t.Errorf("%d comparisons with t", found)
	}
	// An image metric has no observer.
	list, err = Compare(rows, "entropy", boot)
	if err != nil || list[1].A != "a" || list[1].B != "t" || list[1].Observers != nil || math.Abs(list[1].Difference+3) > 0.1 || list[1].Holm > 1e-6 || list[1].Test != "Wilcoxon" {
		t.Errorf("%+v %v", list[1], err)
	}
	// What cannot be compared says so, and counts for no correction.
	var few metamer.Rows
	for _, r := range rows {
		if r.Observer != "o" && r.Observer != "" {
			few = append(few, r)
		}
	}
	list, err = Compare(few, metamer.Recognizability, boot)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list {
		if none := strings.Contains(c.A+"+"+c.B, "t") && strings.Contains(c.A+c.B, "a+b"); none != (c.Why != "" && math.IsNaN(c.Holm) && strings.Contains(c.String(), "not compared")) {
			t.Errorf("%v", c)
		}
	}
	if _, err := Compare(rows, metamer.JSD, boot); err == nil || !strings.Contains(err.Error(), "image by image") {
		t.Error(err)
	}
	rows = append(rows, metamer.Row{Run: "another", Set: "a", Stage: "late", Image: 0, Measure: "entropy"})
	if _, err := Compare(rows, "entropy", boot); err == nil {
		t.Error("two runs of a set are no error")
	}
}
