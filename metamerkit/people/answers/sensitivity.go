package answers

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
)

// Sensitivity is d′ with its two-way bootstrap interval: z(hits) − z(false alarms), where
// hits are the answers of condition k that are Right and false alarms those of condition
// same. Half an answer is added to each count and one to each total (Hautus 1995), so that
// shares of 0 and 1 have a value.
func Sensitivity(answers []Answer, k, same int, b evaluate.Bootstrap) (value, low, high float64, err error) {
	list := where(answers, func(a Answer) bool { return a.Condition == k || a.Condition == same })
	persons, images := index(list, func(a Answer) int { return a.Participant }), index(list, func(a Answer) int { return a.Image })
	stat := func(person, image []int) float64 {
		var yes, all [2]float64
		for _, a := range list {
			side := 0
			if a.Condition == same {
				side = 1
			}
			w := float64(person[persons[a.Participant]] * image[images[a.Image]])
			all[side] += w
			if a.Right {
				yes[side] += w
			}
		}
		if all[0] == 0 || all[1] == 0 {
			return math.NaN()
		}
		z := func(i int) float64 { return distuv.UnitNormal.Quantile((yes[i] + 0.5) / (all[i] + 1)) }
		return z(0) - z(1)
	}
	if value = stat(ones(len(persons)), ones(len(images))); math.IsNaN(value) {
		return value, value, value, evaluate.Undefined("no answer counts")
	}
	low, high, err = b.TwoWay(len(persons), len(images), stat)
	return value, low, high, err
}
