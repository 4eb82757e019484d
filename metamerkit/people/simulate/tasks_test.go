package simulate

import (
	"context"
	"net/http/httptest"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/people"
	"github.com/ensemble-metamers/metamers/metamerkit/people/answers"
	"github.com/ensemble-metamers/metamers/metamerkit/people/peopletest"
	"github.com/ensemble-metamers/metamers/metamerkit/people/serve"
)

// answered has so many participants answer an experiment at a lab's server, and reads it.
func answered(t *testing.T, b *Browser, folder string, s *Participants, n int) *answers.Data {
	t.Helper()
	server, err := serve.New(folder, n)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(server)
	defer server.Close()
	defer h.Close()
	if err := s.Run(context.Background(), b, server.Links(h.URL), n, func() {}); err != nil {
		t.Fatal(err)
	}
	data, err := answers.Load(s.Design, []string{folder})
	if err != nil {
		t.Fatal(err)
	}
	if c := data.Counts(); c.Kept != n {
		t.Fatal(c)
	}
	return data
}

// A network's own recognizability comes back through the page: a whole block of participants
// sees each reference once in each condition, so that it is the network's to the digit.
func TestOwnRecognizabilityComesBack(t *testing.T) {
	b := browser(t, 800, 700)
	folder, d := experiment(t, peopletest.Source(16), func(*people.Design) {})
	s := &Participants{Design: d, Choices: make([]int, len(d.Stimuli))}
	for i, st := range d.Stimuli { // of the first condition a quarter is wrong, of the second half
		s.Choices[i] = st.Answer
		if st.Condition >= 0 && (st.Image%4 == 0 && st.Condition == 0 || st.Image%2 == 0 && st.Condition == 1) {
			s.Choices[i] = (st.Answer + 1) % len(d.Choices)
		}
	}
	data := answered(t, b, folder, s, len(d.Conditions))
	rows, err := data.Rows(evaluate.Bootstrap{Resamples: 500})
	if err != nil {
		t.Fatal(err)
	}
	for k, r := range data.Shares(rows) {
		if expected, own := s.Expected(k); r.Value != own || own != expected || !(r.Low <= own && own <= r.High) || k < 2 && !(own < 1) {
			t.Errorf("%s: %v [%v %v] was read, and the network has %v", d.Conditions[k], r.Value, r.Low, r.High, own)
		}
	}
}

// The tasks with two images show the images of the design, at its sides, and store what
// was answered.
func TestTasks(t *testing.T) {
	b := browser(t, 800, 700)
	for _, plan := range []people.Plan{{Task: people.SameDifferent}, {Task: people.MoreNatural, Pairs: people.PairAll}} {
		folder, d := experiment(t, peopletest.Pairs(16), func(d *people.Design) {
			plan.Apply(d)
			d.Times.Gap = min(d.Times.Gap, 2)
		})
		s := &Participants{Design: d, Choices: make([]int, len(d.Stimuli))}
		for i, st := range d.Stimuli {
			s.Choices[i] = st.Answer
			if st.Condition == 1 {
				s.Choices[i] = 1 - st.Answer
			}
		}
		for _, tr := range answered(t, b, folder, s, 1).Participants[0].Trials {
			if tr.Choice != s.Choices[tr.Stimulus] || !(tr.Shown > 0 && tr.Other > 0) {
				t.Errorf("%s, stimulus %d: %+v was stored, and the choice was %d", plan.Task, tr.Stimulus, tr, s.Choices[tr.Stimulus])
			}
		}
	}
}
