package evaluate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Methods lists the bootstrap intervals (Efron & Tibshirani 1993, chapters 13 and 14):
// "percentile" takes the quantiles of the replicates, "basic" mirrors them at the estimate,
// and "bca" corrects for bias and acceleration.
var Methods = []string{"percentile", "basic", "bca"}

// DefaultResamples is the default number of bootstrap resamples.
const DefaultResamples = 2000

// Bootstrap computes intervals by resampling images. Its zero value stands for 2000
// resamples, a level of 95 % and the method bca.
type Bootstrap metamer.Bootstrap

func (b Bootstrap) withDefaults() Bootstrap {
	if b.Resamples == 0 {
		b.Resamples = DefaultResamples
	}
	if b.Level == 0 {
		b.Level = 0.95
	}
	if b.Method == "" {
		b.Method = "bca"
	}
	return b
}

// ofPairs is b for a value that comes from pairs of images.
func (b Bootstrap) ofPairs() Bootstrap {
	if b.Method == "" {
		b.Method = "basic"
	}
	return b
}

// Validate returns an error for the first invalid setting.
func (b Bootstrap) Validate() error {
	b = b.withDefaults()
	switch {
	case !slices.Contains(Methods, b.Method):
		return fmt.Errorf("evaluate: %w", metamer.Unknown("bootstrap method", b.Method, Methods))
	case b.Resamples < 100:
		return fmt.Errorf("evaluate: %d bootstrap resamples, expected at least 100", b.Resamples)
	case !(b.Level > 0 && b.Level < 1):
		return fmt.Errorf("evaluate: the level of the interval is %v, expected a share between 0 and 1", b.Level)
	}
	return nil
}

// Statistic computes a value from a resample in which image i was drawn weight[i] times. It
// must not keep weight and must be safe for concurrent calls.
type Statistic func(weight []int) float64

// Interval returns the bootstrap interval of a statistic of n images, which are resampled
// with replacement. It is Undefined for fewer than two images, and if the statistic has no
// value in more than one of twenty resamples.
func (b Bootstrap) Interval(n int, stat Statistic) (low, high float64, err error) {
	if err := b.Validate(); err != nil {
		return math.NaN(), math.NaN(), err
	}
	return b.withDefaults().interval(n, stat, func(r int, weight []int) {
		rng := rand.New(rand.NewPCG(b.Seed, uint64(r)))
		for range weight {
			weight[rng.IntN(n)]++
		}
	})
}

// interval takes the resamples from draw, which adds to weight.
func (b Bootstrap) interval(n int, stat Statistic, draw func(r int, weight []int)) (low, high float64, err error) {
	low, high = math.NaN(), math.NaN()
	if n < 2 {
		return low, high, undefined("%d image has no interval", n)
	}
	// weighed fills in the statistic of each of the weights that set makes of v.
	weighed := func(v int, out []float64, set func(k int, weight []int)) {
		split(len(out), func(from, to int) {
			weight := make([]int, n)
			for k := from; k < to; k++ {
				for i := range weight {
					weight[i] = v
				}
				set(k, weight)
				out[k] = stat(weight)
			}
		})
	}
	replicates, whole := make([]float64, b.Resamples), make([]float64, 1)
	weighed(1, whole, func(int, []int) {})
	weighed(0, replicates, draw)
	estimate := whole[0]
	replicates = slices.DeleteFunc(replicates, math.IsNaN)
	if math.IsNaN(estimate) || len(replicates) < b.Resamples-b.Resamples/20 {
		return low, high, undefined("the value is not defined for %d of %d resamples", b.Resamples-len(replicates), b.Resamples)
	}
	slices.Sort(replicates)
	tail := (1 - b.Level) / 2
	switch b.Method {
	case "percentile":
		return quantile(replicates, tail), quantile(replicates, 1-tail), nil
	case "basic":
		return 2*estimate - quantile(replicates, 1-tail), 2*estimate - quantile(replicates, tail), nil
	}
	jack := make([]float64, n)
	weighed(1, jack, func(k int, weight []int) { weight[k] = 0 })
	lo, hi := bca(estimate, replicates, jack, tail)
	return quantile(replicates, lo), quantile(replicates, hi), nil
}

// bca returns the shares of the replicates that bound the interval. Where all
// replicates lie on one side of the estimate, or are one value, the correction is
// not defined and the percentile interval is used.
func bca(estimate float64, replicates, jack []float64, tail float64) (lo, hi float64) {
	below, equal := 0, 0
	for _, v := range replicates {
		if v < estimate {
			below++
		} else if v == estimate {
			equal++
		}
	}
	// Ties count half, as in scipy.stats.bootstrap.
	z0 := distuv.UnitNormal.Quantile((float64(below) + float64(equal)/2) / float64(len(replicates)))
	mean := 0.0
	for _, v := range jack {
		mean += v / float64(len(jack))
	}
	cube, square := 0.0, 0.0
	for _, v := range jack {
		d := mean - v
		cube, square = cube+d*d*d, square+d*d
	}
	a := 0.0
	if square > 0 {
		a = cube / (6 * math.Pow(square, 1.5))
	}
	if math.IsInf(z0, 0) || math.IsNaN(z0) || math.IsNaN(a) {
		return tail, 1 - tail
	}
	at := func(share float64) float64 {
		z := z0 + distuv.UnitNormal.Quantile(share)
		return distuv.UnitNormal.CDF(z0 + z/(1-a*z))
	}
	return at(tail), at(1 - tail)
}

// quantile interpolates linearly, as numpy.percentile does.
func quantile(sorted []float64, share float64) float64 {
	at := share * float64(len(sorted)-1)
	i := int(math.Floor(at))
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// Mean returns the mean of one value per image (NaN: none), its interval, and the number of
// images with a value. Without any value the error is Undefined. If all values are equal,
// so are the limits.
func (b Bootstrap) Mean(values []float64) (mean, low, high float64, count int, err error) {
	mean, low, high = math.NaN(), math.NaN(), math.NaN()
	kept := make([]float64, 0, len(values))
	for _, v := range values {
		if !math.IsNaN(v) {
			kept = append(kept, v)
		}
	}
	if count = len(kept); count == 0 {
		return mean, low, high, 0, undefined("no image has a value")
	}
	stat := func(weight []int) float64 {
		sum, n := 0.0, 0
		for i, w := range weight {
			sum, n = sum+float64(w)*kept[i], n+w
		}
		return sum / float64(n)
	}
	ones := make([]int, count)
	for i := range ones {
		ones[i] = 1
	}
	mean = stat(ones)
	low, high, err = b.Interval(count, stat)
	return mean, low, high, count, err
}

// Share is Mean for outcomes in [0,1]: 1 or 0 for one observer, a mean over observers in
// between. If the outcomes of all images are 0, or all are 1, resampling has no spread, and
// the interval is Wilson's (1927).
func (b Bootstrap) Share(values []float64) (mean, low, high float64, count int, err error) {
	if mean, low, high, count, err = b.Mean(values); err == nil && low == high && (mean == 0 || mean == 1) {
		low, high = Wilson(int(mean)*count, count, b.withDefaults().Level)
	}
	return mean, low, high, count, err
}

// Wilson returns the score interval (Wilson 1927) of a proportion of k among n at the given
// level, such as 0.95.
func Wilson(k, n int, level float64) (low, high float64) {
	return metamer.Wilson(k, n, distuv.UnitNormal.Quantile((1+level)/2))
}
