package study

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/dustin/go-humanize/english"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

// mostSeeds is how many seeds, from 0 on, are looked for in the store.
const mostSeeds = 10

// repeat is a run and the run of the same recipe with another seed.
type repeat struct{ run, again *metamer.Run }

// repeats finds in the store the runs that have the recipes of all and one other seed: that
// of which there are most. It returns nil where there are none.
func repeats(ctx context.Context, s *runs.Store, all []*metamer.Run) (best []repeat, err error) {
	if s == nil {
		return nil, nil
	}
	ids, err := s.IDs()
	if err != nil {
		return nil, err
	}
	var seed uint64
	count := 0
	has := func(run *metamer.Run, seed uint64) bool {
		return run.Recipe.Seed != seed && slices.Contains(ids, reseeded(run, seed))
	}
	for k := range uint64(mostSeeds) {
		n := 0
		for _, run := range all {
			if has(run, k) {
				n++
			}
		}
		if n > count {
			seed, count = k, n
		}
	}
	for _, run := range all {
		if count == 0 || !has(run, seed) {
			continue
		}
		again, err := s.LoadContext(ctx, reseeded(run, seed))
		if err != nil {
			return nil, err
		}
		best = append(best, repeat{run, again})
	}
	return best, nil
}

// reseeded is the ID of the run that has the recipe of another one and its own seed.
func reseeded(run *metamer.Run, seed uint64) string {
	r := run.Recipe
	r.Seed = seed
	return r.ID()
}

// anotherSeed says how the numbers of the runs differ from those of their repeats.
func (r *Result) anotherSeed() string {
	var seeds []string
	for _, run := range r.Runs {
		seeds = once(seeds, fmt.Sprint(run.Recipe.Seed))
	}
	if len(seeds) > 1 {
		return "The runs have the seeds " + strings.Join(seeds, ", ") + "."
	}
	if len(r.repeats) == 0 {
		another := "1"
		if seeds[0] == "1" {
			another = "2"
		}
		return fmt.Sprintf("Not measured: all runs have the seed %s. The same plan with --seed %s and another folder of --out makes them from other initial images. When that is done, this plan's own command writes here by how much the numbers differ.", seeds[0], another)
	}
	var parts []string
	largest := 0.0
	for _, stage := range r.Plan.Stages {
		var own, other []*metamer.Run
		for _, p := range r.repeats {
			if p.run.Recipe.Stage != stage {
				continue
			}
			own, other = append(own, p.run), append(other, p.again)
			for m := range p.run.Recipe.Models {
				a, b := median(closeness(p.run, m).distance), median(closeness(p.again, m).distance)
				if d := math.Abs(b-a) / a; d > largest { // false where either is not a number
					largest = d
				}
			}
		}
		if own == nil {
			continue
		}
		distance := func(run *metamer.Run, m int) []float64 { return closeness(run, m).distance }
		text := fmt.Sprintf("%s: relative L2 distance %.3f and %.3f", stage, median(gathered(own, distance)), median(gathered(other, distance)))
		a, of := tallied(own)
		b, ofB := tallied(other)
		if of > 0 && ofB > 0 {
			text += fmt.Sprintf(", metamers %d of %d and %d of %d", a, of, b, ofB)
		}
		parts = append(parts, text)
	}
	which := "all runs"
	if n := len(r.repeats); n < len(r.Runs) {
		which = fmt.Sprintf("%d of %s", n, english.Plural(len(r.Runs), "run", ""))
	}
	return fmt.Sprintf("Measured for %s, with the seeds %s and %d. %s. Distances are medians over images, sets and members; the medians of one member of a set differ by %.0f %% at most.",
		which, seeds[0], r.repeats[0].again.Recipe.Seed, capital(strings.Join(parts, "; ")), 100*largest)
}

// tallied counts the images of runs that are metamers, and those that were tested.
func tallied(all []*metamer.Run) (pass, tested int) {
	for _, run := range all {
		p, t := run.Tally()
		pass, tested = pass+p, tested+t
	}
	return pass, tested
}
