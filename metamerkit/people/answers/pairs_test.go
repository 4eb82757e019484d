package answers

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/people"
	"github.com/ensemble-metamers/metamers/metamerkit/people/peopletest"
)

// rowsOf are the rows over all images of an experiment with a task in which every
// participant answers by choose.
func rowsOf(t *testing.T, plan people.Plan, choose func(d *people.Design, participant, stimulus int) int) map[string]metamer.Row {
	t.Helper()
	settings := peopletest.Settings()
	plan.Apply(&settings)
	d, _, err := people.New(settings, peopletest.Pairs(16))
	if err != nil {
		t.Fatal(err)
	}
	data, err := Load(d, []string{write(t, d, 12, func(p, i int) int { return choose(d, p, i) })})
	if err != nil {
		t.Fatal(err)
	}
	if c := data.Counts(); c.Kept != 12 {
		t.Fatal(c)
	}
	rows, err := data.Rows(evaluate.Bootstrap{Resamples: 200})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]metamer.Row{}
	for _, r := range rows {
		if r.Image < 0 {
			out[r.Measure+" "+r.Stage] = r
		}
	}
	return out
}

// Participants tell the metamers of one run from their references and not those of the
// other: d′ is large and near 0.
func TestSameDifferentRows(t *testing.T) {
	got := rowsOf(t, people.Plan{Task: people.SameDifferent}, func(d *people.Design, p, i int) int {
		s := d.Stimuli[i]
		if s.Condition == 0 { // early: called the same as often as the reference is
			return people.Same
		}
		return s.Answer
	})
	for name, want := range map[string]float64{CalledDifferent + " early": 0, CalledDifferent + " late": 1, CalledDifferent + " ": 0} {
		if r, ok := got[name]; !ok || r.Value != want || !(r.Low <= want && want <= r.High && r.Low < r.High) || r.Observer != metamer.People || r.Count != 12 {
			t.Errorf("%s: %+v, expected %v", name, r, want)
		}
	}
	// 36 trials of each run and 72 with the reference twice, of 12 participants.
	z := func(p float64) float64 { return math.Sqrt2 * math.Erfinv(2*p-1) }
	for name, want := range map[string]float64{DPrime + " early": z(.5/37) - z(.5/73), DPrime + " late": z(36.5/37) - z(.5/73)} {
		if r := got[name]; math.Abs(r.Value-want) > 1e-9 || !(r.Low <= r.Value && r.Value <= r.High) {
			t.Errorf("%s: %+v, expected %v", name, r, want)
		}
	}
	if _, ok := got["chance "]; ok {
		t.Error("same-different has a chance level")
	}
}

// The later a run, the more natural: it is chosen beside the earlier one, and never beside
// the reference.
func TestMoreNaturalRows(t *testing.T) {
	got := rowsOf(t, people.Plan{Task: people.MoreNatural, Pairs: people.PairAll}, func(d *people.Design, p, i int) int {
		s := d.Stimuli[i]
		if s.Condition != people.Natural {
			return 1 - s.Answer // the other image
		}
		return s.Answer
	})
	for name, want := range map[string]float64{
		MoreNatural + " early": 0, MoreNatural + "/natural early": 0, MoreNatural + "/one, late early": 0,
		MoreNatural + " late": 0.5, MoreNatural + "/natural late": 0, MoreNatural + "/one, early late": 1, "chance ": 0.5,
	} {
		if r, ok := got[name]; !ok || r.Value != want {
			t.Errorf("%s: %+v, expected %v", name, r, want)
		}
	}
}

// d′ and its interval are NumPy's and SciPy's (people_golden.py).
func TestSensitivityAgainstSciPy(t *testing.T) {
	text, err := os.ReadFile("../../../testdata/golden/people.json")
	if err != nil {
		t.Fatal(err)
	}
	var g struct {
		Answers     [][4]int
		Sensitivity struct{ Value, Low, High float64 }
	}
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	var all []Answer
	for _, a := range g.Answers {
		all = append(all, Answer{Participant: a[0], Condition: a[1], Image: a[2], Right: a[3] == 1})
	}
	value, low, high, err := Sensitivity(all, 0, 3, evaluate.Bootstrap{Resamples: 20000, Seed: 3})
	if want := g.Sensitivity; err != nil || math.Abs(value-want.Value) > 1e-9 || math.Abs(low-want.Low) > 0.03 || math.Abs(high-want.High) > 0.03 {
		t.Errorf("%v [%v %v], SciPy has %v (%v)", value, low, high, want, err)
	}
	if _, _, _, err := Sensitivity(all, 0, 9, evaluate.Bootstrap{}); err == nil {
		t.Error("no trial with the same image, and d′ is defined")
	}
}

func TestTiming(t *testing.T) {
	d := &people.Design{Times: people.Times{Refresh: 60, Image: 18}}
	data := &Data{Design: d, Participants: []*Participant{{Trials: []Trial{{Shown: 300, Other: 300}, {Shown: 310, Other: 300, Dropped: 2}}}, {Trials: []Trial{{Shown: 300, Other: 280}}}}}
	if got, want := fmt.Sprint(data.Timing()), "Images were shown 10.0 ms off the planned 300 ms on average and 20.0 ms at most; in 1 of 3 trials frames came late, 2 in all (as the browser counts them)."; got != want {
		t.Errorf("%s, expected %s", got, want)
	}
}
