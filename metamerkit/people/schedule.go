package people

import (
	"math/rand/v2"
	"slices"
)

// schedules draws the trials of each participant. tested lists, for each reference that
// is tested, its stimuli, one a condition. Participants come in blocks of as many as there
// are conditions. In a block each participant sees each reference once, each reference is
// seen once in each condition (a Latin square with drawn rows and columns), and each
// participant sees each condition equally often, but for one trial where the numbers do not
// divide. Catch trials stand between the others at drawn places.
func schedules(tested [][]int, catch []int, participants int, seed uint64) [][]int {
	n := len(tested[0])
	var out [][]int
	for block := 0; len(out) < participants; block++ {
		rng := rand.New(rand.NewPCG(seed, uint64(block)))
		order := rng.Perm(len(tested)) // which reference takes which row of the square
		shift, names := rng.Perm(n), rng.Perm(n)
		for p := range min(n, participants-len(out)) {
			var trials []int
			for k, i := range order {
				trials = append(trials, tested[i][names[(k+shift[p])%n]])
			}
			rng.Shuffle(len(trials), func(a, b int) { trials[a], trials[b] = trials[b], trials[a] })
			// One catch trial in each of as many equal parts, the last part first.
			parts, whole := rng.Perm(len(catch)), len(trials)
			for k := len(catch) - 1; k >= 0; k-- {
				from, to := k*whole/len(catch), (k+1)*whole/len(catch)
				trials = slices.Insert(trials, from+rng.IntN(max(to-from, 1)), catch[parts[k]])
			}
			out = append(out, trials)
		}
	}
	return out
}
