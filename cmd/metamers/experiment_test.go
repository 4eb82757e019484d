package main

import (
	"reflect"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/people"
)

// Without flags the command designs what a cell designs.
func TestExperimentDefaults(t *testing.T) {
	c, err := parsed(t, "experiment", "make", "3f2a", "--out", t.TempDir()+"/exp")
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{32, 224, 600} {
		got, want := c.Experiment.Make.design(size), people.Default(size)
		want.Software = got.Software
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%d pixels a side: %+v, expected %+v", size, got, want)
		}
	}
	if got := c.Experiment.Make; got.Practice != people.DefaultPractice || !got.Natural {
		t.Errorf("%d practice trials, natural images %v", got.Practice, got.Natural)
	}
}
