package people_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/people"
	"github.com/ensemble-metamers/metamers/metamerkit/people/peopletest"
)

// Every participant sees each reference once and the conditions equally often; in a block
// of participants each reference is seen once in each condition.
func TestSchedulesAreBalanced(t *testing.T) {
	d, _, err := people.New(peopletest.Settings(), peopletest.Source(16))
	if err != nil {
		t.Fatal(err)
	}
	const tested, conditions = 12, 3 // 2 references are held out for practice, 2 for catch trials
	if len(d.Schedules) != 10*conditions || len(d.Stimuli) != tested*conditions+4 {
		t.Fatalf("%d schedules and %d stimuli", len(d.Schedules), len(d.Stimuli))
	}
	for block := range slices.Chunk(d.Schedules, conditions) {
		pairs := map[[2]int]int{}
		for _, list := range block {
			images, per, catch := map[int]int{}, map[int]int{}, 0
			for k, i := range list {
				s := d.Stimuli[i]
				images[s.Image]++
				if d.IsCatch(i) {
					if half := k / (len(list) / 2); half != catch {
						t.Errorf("catch trial %d is in half %d", catch, half)
					}
					catch++
					continue
				}
				per[s.Condition]++
				pairs[[2]int{s.Condition, s.Image}]++
			}
			if catch != 2 || len(images) != tested+2 || fmt.Sprint(per) != "map[0:4 1:4 2:4]" {
				t.Errorf("a participant has %d catch trials, %d images, conditions %v", catch, len(images), per)
			}
		}
		for p, n := range pairs {
			if n != 1 {
				t.Errorf("condition and reference %v come %d times in a block", p, n)
			}
		}
	}
	if slices.Equal(d.Schedules[0], d.Schedules[3]) {
		t.Error("two blocks are the same")
	}
	again, _, err := people.New(peopletest.Settings(), peopletest.Source(16))
	if err != nil || again.SHA256() != d.SHA256() {
		t.Errorf("the same seed gave another design (%v)", err)
	}
}

func TestBadSources(t *testing.T) {
	refs := peopletest.References(16)
	other := peopletest.References(12)
	for want, change := range map[string]func(*people.Source){
		"no run given":          func(s *people.Source) { s.Runs = nil },
		"has no verdict":        func(s *people.Source) { s.Runs[0].Statistics = nil },
		"of the same images":    func(s *people.Source) { s.Runs[1] = peopletest.Run(other, "two", "late") },
		"are both of":           func(s *people.Source) { s.Runs = append(s.Runs, peopletest.Run(refs, "one", "late")) },
		"are needed":            func(s *people.Source) { s.CatchCount = 14 },
		"with the same classes": func(s *people.Source) { s.Others, s.OtherClasses = other, people.Classes{Names: []string{"x", "y"}} },
		"are no references":     func(s *people.Source) { s.Others, s.OtherClasses = refs, s.Classes },
	} {
		s := peopletest.Source(16)
		change(&s)
		if _, _, err := people.New(peopletest.Settings(), s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, expected one with %q", err, want)
		}
	}
	if _, err := people.Labelled(refs.Unlabelled()); err == nil || !strings.Contains(err.Error(), "have no labels") {
		t.Errorf("error %v", err)
	}
}

// Labels of ImageNet become the 16 categories; an image of no category is not tested.
func TestCategories(t *testing.T) {
	set := &metamer.ImageSet{Names: []string{"cat", "fish", "jet"}, Labels: []int{281, 0, 404}, ClassNames: make([]string, 1000)}
	c, err := people.Labelled(set)
	if err != nil || len(c.Names) != 16 || fmt.Sprint(c.Answer) != "[7 -1 0]" || c.Names[7] != "cat" {
		t.Errorf("%v, %v", c, err)
	}
}

func TestEditedDesign(t *testing.T) {
	d, _, err := people.New(peopletest.Settings(), peopletest.Source(16))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), people.DesignName)
	for _, edit := range []struct{ from, to, want string }{
		{"", "", ""},
		{`"seed": 1`, `"seed":  1`, "was edited"},
		{`"answer": 1`, `"answer": 4`, "expected 0 to 3"},
		{`"seed"`, `"sead"`, "unknown field"},
	} {
		if err := os.WriteFile(path, []byte(strings.Replace(string(d.Encode()), edit.from, edit.to, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := people.Load(filepath.Dir(path))
		if edit.want == "" && (err != nil || got.SHA256() != d.SHA256()) || edit.want != "" && (err == nil || !strings.Contains(err.Error(), edit.want)) {
			t.Errorf("%q: error %v, expected %q", edit.to, err, edit.want)
		}
	}
}
