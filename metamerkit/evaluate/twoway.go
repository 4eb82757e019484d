package evaluate

import (
	"math"
	"math/rand/v2"
)

// TwoWay returns the percentile interval of a statistic of trials that cross participants
// and images. Both are resampled with replacement, independently, and a trial weighs the
// product of the two numbers of draws (Owen 2007, "The pigeonhole bootstrap"). So the
// interval holds for other participants and other images. It is a little too wide rather
// than too narrow, because the noise of single trials enters by both.
func (b Bootstrap) TwoWay(participants, images int, stat func(participant, image []int) float64) (low, high float64, err error) {
	b.Method = "percentile"
	if err := b.Validate(); err != nil {
		return math.NaN(), math.NaN(), err
	}
	if participants < 2 || images < 2 {
		return math.NaN(), math.NaN(), undefined("%d participants and %d images have no interval, expected at least 2 of each", participants, images)
	}
	whole := func(weight []int) float64 { return stat(weight[:participants], weight[participants:]) }
	return b.withDefaults().interval(participants+images, whole, func(r int, weight []int) {
		rng := rand.New(rand.NewPCG(b.Seed, uint64(r)))
		for range participants {
			weight[rng.IntN(participants)]++
		}
		for range images {
			weight[participants+rng.IntN(images)]++
		}
	})
}
