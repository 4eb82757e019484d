package metamer

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
)

var nan = math.NaN()

func measuredRows() Rows {
	return Rows{
		{Set: "a", Stage: "early", Observer: "o", Image: -1, Measure: "m", Value: 1, Low: 0.5, High: 2, Count: 4},
		{Set: "a", Stage: "early", Observer: "p", Image: -1, Measure: "m", Value: 0.5, Low: 0, High: 0.5, Count: 4},
		{Set: "a", Stage: "late", Observer: "o", Image: -1, Measure: "m", Value: nan, Low: nan, High: nan, Reason: "no labels"},
		{Set: "a", Stage: "middle", Observer: "o", Image: -1, Measure: "m", Value: 0.25, Low: 0.25, High: 0.5, Count: 4},
		{Set: "b", Stage: "late", Observer: "o", Image: -1, Measure: "m", Value: 2, Low: nan, High: nan, Count: 4},
		{Set: "b", Stage: "early", Observer: "o", Image: -1, Measure: "m", Value: 4, Low: nan, High: nan, Count: 4},
	}
}

// A mean has the mean bounds of its rows; one row keeps its own interval; rows without a
// value do not count.
func TestMeans(t *testing.T) {
	means := measuredRows().Where(func(r Row) bool { return r.Set == "a" }).Means("stage")
	want := Means{
		{By: []string{"stage"}, Group: []string{"early"}, X: 0, Value: 0.75, Low: 0.25, High: 1.25, Count: 2},
		{By: []string{"stage"}, Group: []string{"middle"}, X: 1, Value: 0.25, Low: 0.25, High: 0.5, Count: 1},
	}
	if !reflect.DeepEqual(means, want) {
		t.Errorf("%+v, want %+v", means, want)
	}
	if low, high := means.YError(1); low != 0 || high != 0.25 {
		t.Errorf("the second interval extends %v below and %v above", low, high)
	}
	if m := measuredRows()[4:].Means("set"); m.Len() != 1 || !math.IsNaN(m[0].Low) || m.Value(0) != 3 {
		t.Errorf("%+v", m)
	} else if low, high := m.YError(0); low != 0 || high != 0 {
		t.Errorf("without an interval: %v %v", low, high)
	}
	if m := measuredRows().Means(); len(m) != 1 || m[0].Value != 7.75/5 || m[0].Count != 5 {
		t.Errorf("one group of all: %+v", m)
	}
	if m := (Rows{}).Means("set"); m != nil {
		t.Errorf("of no rows: %+v", m)
	}
	defer func() {
		if p, _ := recover().(string); !strings.Contains(p, `no column "stgae", expected one of run, set, stage`) {
			t.Errorf("panic %q", p)
		}
	}()
	measuredRows().Means("stgae")
}

// Lines of several series share the places on the axis, and gonum takes them.
func TestSeries(t *testing.T) {
	rows := measuredRows()
	lines := rows.Series("set", "stage")
	if len(lines) != 4 || lines[0] != "a" || lines[2] != "b" {
		t.Fatalf("%+v", lines)
	}
	var at []float64
	for _, m := range append(lines[1].(Means), lines[3].(Means)...) {
		x, _ := Means{m}.XY(0)
		at = append(at, x)
	}
	if !reflect.DeepEqual(rows.Distinct("stage"), []string{"early", "late", "middle"}) || !reflect.DeepEqual(at, []float64{0, 2, 1, 0}) {
		t.Errorf("stages %v, places %v", rows.Distinct("stage"), at)
	}
	images := Rows{{Image: 7, Value: 1}, {Image: 3, Value: 2}}
	if m := images.Series("measure", "image")[1].(Means); m[0].X != 7 || m[1].X != 3 {
		t.Errorf("images lie at %v and %v", m[0].X, m[1].X)
	}
	p := plot.New()
	if err := plotutil.AddLinePoints(p, lines...); err != nil {
		t.Error(err)
	}
	if err := plotutil.AddErrorBars(p, lines[1]); err != nil {
		t.Error(err)
	}
	if _, err := plotter.NewBarChart(lines[1].(Means), 10); err != nil {
		t.Error(err)
	}
}

func TestRowsShowThemselves(t *testing.T) {
	b, err := measuredRows().MIMEBundle()
	if err != nil {
		t.Fatal(err)
	}
	text := string(b["text/plain"])
	if !strings.HasPrefix(text, "6 rows.\n\n| set | stage | observer | member | image | measure | value | low | high | count | reason |\n") || !strings.Contains(text, "| b | late | o | false | all | m | 2 |  |  | 4 |  |") {
		t.Error(text)
	}
	b, err = measuredRows().Means("set", "stage").MIMEBundle()
	if want := "Means of 4 groups.\n\n| set | stage | mean | low | high | rows |\n|---|---|---:|---:|---:|---:|\n| a | early | 0.75 | 0.25 | 1.25 | 2 |\n"; err != nil || !strings.HasPrefix(string(b["text/plain"]), want) {
		t.Errorf("%s %v", b["text/plain"], err)
	}
	b, _ = make(Rows, 25).MIMEBundle()
	if text := string(b["text/html"]); strings.Count(text, "<tr>") != 21 || !strings.Contains(text, "25 rows; the first 20 are shown.") {
		t.Error(text)
	}
}
