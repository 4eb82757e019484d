package synth

import (
	"math/rand/v2"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// active returns the member whose turn step i is, of m, and the number of steps
// from i for which that holds. It depends on nothing but the recipe and i, so a
// resumed run follows the same schedule.
func active(s metamer.Schedule, seed uint64, m, i int) (member, steps int) {
	if m == 1 {
		return 0, chunkSteps - i%chunkSteps
	}
	round := i / s.Every
	steps = min(s.Every-i%s.Every, chunkSteps)
	if s.Order == "random" {
		cycle := rand.New(rand.NewPCG(seed, uint64(round/m)))
		return cycle.Perm(m)[round%m], steps
	}
	return round % m, steps
}

// traceStride thins the loss trace so that a run keeps about a thousand rows
// however many steps it takes. It shares no divisor with the schedule's period,
// so that every member shows.
func traceStride(steps, period int) int {
	stride := max(1, (steps+999)/1000)
	for gcd(stride, period) != 1 {
		stride++
	}
	return stride
}

// traceHead is the number of first steps that are always traced.
const traceHead = 100

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
