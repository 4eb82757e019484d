package claims

import (
	"math"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

func recognized(set, stage, observer string, v float64) metamer.Row {
	return metamer.Row{Run: set + stage, Set: set, Stage: stage, Observer: observer, Image: -1, Measure: metamer.Recognizability, Value: v, Low: math.NaN(), High: math.NaN()}
}

func TestCorrelate(t *testing.T) {
	people := metamer.Rows{recognized("a", "early", "people", .9), recognized("a", "late", "people", .2), recognized("b", "late", "people", .4), recognized("", "", "people", 1)}
	networks := metamer.Rows{recognized("a", "early", "n", 1), recognized("a", "late", "n", .5), recognized("b", "late", "n", .6), recognized("c", "late", "n", 0),
		recognized("a", "early", "m", .1), recognized("a", "late", "m", .2), recognized("a", "early", "k", .5), recognized("a", "late", "k", .5), recognized("b", "late", "k", .5)}
	rows, err := WithPeople(networks, people)
	if err != nil || len(rows) != len(people)+len(networks) {
		t.Fatal(err)
	}
	got := Correlate(rows)
	if len(got) != 3 || got[2] != (Correlation{"n", 3, 1}) || got[1].Conditions != 2 || !math.IsNaN(got[1].Spearman) || !math.IsNaN(got[0].Spearman) {
		t.Errorf("%v", got)
	}
	if s := got[1].String(); !strings.Contains(s, "at least 3") {
		t.Error(s)
	}
	other := recognized("a", "early", "people", .9)
	other.Run = "another"
	for want, bad := range map[string]metamer.Rows{"expected one run": {other}, "none of the runs": {recognized("z", "late", "people", 1), recognized("", "", "people", 1)}} {
		if _, err := WithPeople(networks, bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, expected one with %q", err, want)
		}
	}
}

// Claims with people as the observer are those of their rows alone, whatever networks say.
func TestOfPeople(t *testing.T) {
	p := func(set, stage string) float64 {
		if set == "a+b" {
			return .9
		}
		return .2
	}
	rows := world(60, p, func(string) float64 { return 0 }, func(bool) float64 { return 0 })
	if list, err := OfPeople(rows, cards, Options{}); list != nil || err != nil {
		t.Errorf("no people, and %v, %v", list, err)
	}
	var human metamer.Rows
	for _, r := range rows {
		if r.Observer == "o" {
			r.Observer = metamer.People
			human = append(human, r)
		}
	}
	against := world(60, func(set, stage string) float64 { return 1 - p(set, stage) }, func(string) float64 { return 0 }, func(bool) float64 { return 0 })
	list, err := OfPeople(append(against, human...), cards, Options{})
	if err != nil || len(list) == 0 || list[0].Name != "ensembles" || list[0].Verdict != Supported {
		t.Errorf("%v, %v", list, err)
	}
}
