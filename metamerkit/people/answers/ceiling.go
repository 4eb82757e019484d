package answers

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
)

func sorted(m map[string]int) []string { return slices.Sorted(maps.Keys(m)) }

// splits is the number of random halves of the noise ceiling.
const splits = 1000

// Ceiling is the noise ceiling of rank correlations with people over runs: the mean
// Spearman correlation between the recognizabilities by two random halves of the
// participants, corrected to the full number by the Spearman-Brown formula. Where there
// is none, the reason says why.
func (d *Data) Ceiling(seed uint64) (value float64, reason string) {
	_, all, n := d.counted()
	at := map[int]int{} // the conditions that are runs, as networks have no others
	for k, c := range d.Design.Conditions {
		if c.Run != "" {
			at[k] = len(at)
		}
	}
	var list []Answer
	for _, a := range all {
		if k, ok := at[a.Condition]; ok {
			a.Condition = k
			list = append(list, a)
		}
	}
	conditions := len(at)
	if n < 4 || conditions < 3 {
		return math.NaN(), fmt.Sprintf("%d participants and %d runs, expected at least 4 and 3", n, conditions)
	}
	rng := rand.New(rand.NewPCG(seed, 1<<40))
	sum, used := 0.0, 0
	for range splits {
		half := make([]int, n)
		for k, p := range rng.Perm(n) {
			half[p] = k % 2
		}
		means := [2][]float64{shares(list, conditions, func(a Answer) bool { return half[a.Participant] == 0 }), shares(list, conditions, func(a Answer) bool { return half[a.Participant] == 1 })}
		if r := evaluate.RankCorrelation(means[0], means[1]); !math.IsNaN(r) {
			sum, used = sum+2*r/(1+r), used+1
		}
	}
	if used < splits/2 {
		return math.NaN(), "the conditions do not differ in most halves of the participants"
	}
	return sum / float64(used), ""
}

// shares are the shares of right answers in each condition.
func shares(all []Answer, conditions int, keep func(Answer) bool) []float64 {
	right, count := make([]float64, conditions), make([]float64, conditions)
	for _, a := range all {
		if keep(a) {
			count[a.Condition]++
			if a.Right {
				right[a.Condition]++
			}
		}
	}
	for i := range right {
		right[i] /= count[i]
	}
	return right
}
