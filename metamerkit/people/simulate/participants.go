package simulate

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/people"
)

// Participants are simulated people. They take the choice of a network, but in lapses,
// in which they guess.
type Participants struct {
	Design   *people.Design
	Choices  []int         // of the network for each stimulus; -1: none of the choices, so a guess
	Lapse    float64       // share of trials
	Reaction time.Duration // mean time of an answer
	Seed     uint64
}

// Expected is the measure of a condition (the share of trials that are recognized, called
// different, or chosen) that the participants have on average over all stimuli, and own that
// of the network without lapses.
func (s *Participants) Expected(condition int) (expected, own float64) {
	n, hits, guesses := 0., 0., 0.
	for i, st := range s.Design.Stimuli {
		want := st.Answer
		switch {
		case s.Design.Task == people.MoreNatural && st.Other.Condition == condition && condition >= 0:
			want = 1 - want
		case st.Condition != condition:
			continue
		case s.Design.Task == people.SameDifferent:
			want = people.Different
		}
		n++
		if s.Choices[i] == want {
			hits++
		} else if s.Choices[i] < 0 {
			guesses++
		}
	}
	chance := 1 / float64(len(s.Design.Choices))
	return (1-s.Lapse)*(hits+guesses*chance)/n + s.Lapse*chance, hits / n
}

// answerer is that of a participant, from 0. It waits as long as a person would.
func (s *Participants) answerer(ctx context.Context, participant int) Answerer {
	rng := rand.New(rand.NewPCG(s.Seed, uint64(participant)))
	return func(stimulus int) int {
		choice, wait := s.Choices[stimulus], time.Duration((0.7+0.6*rng.Float64())*float64(s.Reaction))
		if guess := rng.IntN(len(s.Design.Choices)); choice < 0 || rng.Float64() < s.Lapse {
			choice = guess
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
		return choice
	}
}

// Run has the participants answer, each at an address, so many at the same time. done is
// called after each.
func (s *Participants) Run(ctx context.Context, b *Browser, addresses []string, parallel int, done func()) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	next := make(chan int)
	var all sync.WaitGroup
	for range min(parallel, len(addresses)) {
		all.Go(func() {
			for i := range next {
				p, err := b.Page(s.Design, addresses[i])
				if err == nil {
					err = p.Participate(ctx, s.answerer(ctx, i))
					p.Close()
				}
				if err != nil {
					stop(err)
					return
				}
				done()
			}
		})
	}
	for i := range addresses {
		select {
		case next <- i:
		case <-ctx.Done():
		}
	}
	close(next)
	all.Wait()
	return context.Cause(ctx)
}
