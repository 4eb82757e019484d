package answers

import (
	"math"
	"strings"
	"testing"
)

// More participants and larger differences give more power; without a bound by images the
// number is near that of the textbook.
func TestPower(t *testing.T) {
	p := Power{Difference: 0.2, Rate: 0.5, Images: 40, Conditions: 2, Wanted: 0.8, Simulations: 60, Seed: 1}
	tried, enough, err := p.Search()
	if err != nil || !enough {
		t.Fatal(tried, enough, err)
	}
	best := tried[len(tried)-1]
	// Two proportions of .6 and .4 need 97 answers each: 5 participants with 20 images a
	// condition. The two-way interval is wider by up to 1.4.
	if best.Power < 0.8 || best.Participants < 4 || best.Participants > 14 {
		t.Errorf("%+v", tried)
	}
	if a, b := p.at(2), p.at(16); !(a < 0.5 && b > 0.9) {
		t.Errorf("power %v with 2 participants and %v with 16", a, b)
	}
	for want, bad := range map[string]Power{
		"rates between 0 and 1": {Difference: 0.5, Rate: 0.9, Images: 8, Conditions: 2, Wanted: 0.8, Simulations: 20},
		"at least 2 conditions": {Difference: 0.1, Rate: 0.5, Images: 8, Conditions: 1, Wanted: 0.8, Simulations: 20},
		"at least 20":           {Difference: 0.1, Rate: 0.5, Images: 8, Conditions: 2, Wanted: 0.8, Simulations: 2},
	} {
		if _, _, err := bad.Search(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, expected one with %q", err, want)
		}
	}
}

// A pilot's rate and spread are those of its answers: here one participant is always wrong
// and images do not differ.
func TestPilot(t *testing.T) {
	d := design(t, nil)
	data, err := Load(d, []string{write(t, d, 6, func(p, i int) int {
		if p == 1 {
			return (d.Stimuli[i].Answer + 1) % 4
		}
		return d.Stimuli[i].Answer
	})})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range data.Participants {
		p.Excluded = ""
	}
	got, err := data.Pilot(Power{})
	if err != nil || math.Abs(got.Rate-5./6) > 1e-12 || got.Images != 12 || got.Conditions != 3 || got.PersonSD < 1 || got.ImageSD > 0.01 {
		t.Errorf("%+v, %v", got, err)
	}
}
