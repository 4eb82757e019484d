package people_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/people"
	"github.com/ensemble-metamers/metamers/metamerkit/people/peopletest"
)

// planned makes a design by what a design file says.
func planned(t *testing.T, text string, source people.Source) (*people.Design, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "design.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	plan, err := people.ReadPlan(path)
	if err != nil {
		if !strings.Contains(err.Error(), path) {
			t.Errorf("the error %v does not name the file", err)
		}
		return nil, err
	}
	d := peopletest.Settings()
	plan.Apply(&d)
	out, files, err := people.New(d, source)
	if err == nil {
		for _, s := range out.Stimuli {
			if files[s.Path] == nil || s.Other != nil && files[s.Other.Path] == nil {
				t.Fatalf("no file of %+v", s)
			}
		}
	}
	return out, err
}

// Half the trials of same-different show the reference twice, and every block shows each
// reference with each run once.
func TestSameDifferent(t *testing.T) {
	d, err := planned(t, "task: same-different\ngapFrames: 3\nquestion: The same?\n", peopletest.Pairs(16))
	if err != nil {
		t.Fatal(err)
	}
	if d.Times.Gap != 3 || d.Question != "The same?" || len(d.Conditions) != 3 || len(d.Choices) != 2 {
		t.Errorf("%+v", d)
	}
	for block := range slices.Chunk(d.Schedules, 4) { // two runs, and the reference twice
		pairs := map[[2]int]int{}
		for _, list := range block {
			per := map[int]int{}
			for _, i := range list {
				s := d.Stimuli[i]
				if (s.Path == s.Other.Path) != (s.Answer == people.Same) {
					t.Errorf("stimulus %+v with %+v has the answer %d", s, s.Other, s.Answer)
				}
				if !d.IsCatch(i) {
					per[s.Condition]++
					pairs[[2]int{s.Condition, s.Image}]++
				}
			}
			if fmt.Sprint(per) != "map[0:3 1:3 2:6]" {
				t.Errorf("a participant sees the conditions %v", per)
			}
		}
		for p, n := range pairs {
			if want := 1 + p[0]/2; n != want {
				t.Errorf("condition and reference %v come %d times in a block, expected %d", p, n, want)
			}
		}
	}
	if a, b := d.Stimuli[d.Catch[0]].Answer, d.Stimuli[d.Catch[1]].Answer; a != people.Same || b != people.Different {
		t.Errorf("catch trials have the answers %d and %d", a, b)
	}
}

// Each pair of more-natural comes on both sides equally often.
func TestMoreNatural(t *testing.T) {
	for text, want := range map[string]string{
		"task: more-natural":             "map[0 with -1 at 0:1 0 with -1 at 1:1 1 with -1 at 0:1 1 with -1 at 1:1]",
		"task: more-natural\npairs: all": "map[0 with -1 at 0:1 0 with -1 at 1:1 0 with 1 at 0:1 0 with 1 at 1:1 1 with -1 at 0:1 1 with -1 at 1:1]",
	} {
		d, err := planned(t, text, peopletest.Pairs(16))
		if err != nil {
			t.Fatal(err)
		}
		columns := 2 * strings.Count(want, "at 0")
		seen := map[string]int{}
		var first int
		for _, list := range d.Schedules[:columns] { // a block
			for _, i := range list {
				s := d.Stimuli[i]
				if d.IsCatch(i) {
					continue
				}
				if first == 0 {
					first = s.Image + 1
				}
				if s.Image == first-1 {
					seen[fmt.Sprintf("%d with %d at %d", s.Condition, s.Other.Condition, s.Answer)]++
				}
			}
		}
		if fmt.Sprint(seen) != want || len(d.Conditions) != 2 || len(d.Schedules) != 10*columns {
			t.Errorf("%s: %v, expected %v (%d schedules)", text, seen, want, len(d.Schedules))
		}
	}
}

func TestBadPlans(t *testing.T) {
	for text, want := range map[string]string{
		"task: recognize":                           "recognition, same-different, more-natural",
		"":                                          "task",
		"task: same-different\npairs: all":          "pairs goes with",
		"task: more-natural\npairs: some":           "reference, all",
		"task: more-natural\ngapFrames: 3":          "gapFrames goes with",
		"task: same-different\ngapFrames: 0":        "expected a whole number from 1 to 6000",
		"task: same-different\ngapFrames: 2.5":      "gapFrames is 2.5, expected a whole number from 1 to 6000",
		"task: same-different\ngap: 3":              "expected the keys",
		"task: same-different\nquestion: \"a\\nb\"": "line break",
	} {
		if _, err := planned(t, text, peopletest.Pairs(16)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, expected one with %q", text, err, want)
		}
	}
	bare := peopletest.Pairs(16)
	bare.Natural = false
	for text, c := range map[string]struct {
		source people.Source
		want   string
	}{
		"task: same-different":            {bare, "shows the references too"},
		"task: more-natural":              {bare, "references are left out"},
		"task: more-natural\npairs: all#": {peopletest.Source(16), "no classes"},
	} {
		if _, err := planned(t, strings.TrimSuffix(text, "#"), c.source); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, expected one with %q", text, err, c.want)
		}
	}
}
