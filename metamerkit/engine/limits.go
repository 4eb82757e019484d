package engine

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/synth"
)

// limits are how near the members of a recipe that holds the match must come to the
// references: as its level says, or so near that their verdict is to pass.
func (e *Engine) limits(ctx context.Context, members []synth.TappedModel, r metamer.Recipe, set *images.Set) (out []synth.Limit, err error) {
	level, _ := r.Level()
	if why := r.Null.Untested(); why != "" && level == 0 {
		return nil, fmt.Errorf("engine: no level follows from the verdict, since %s: expected a level such as 0.05, or another null set", why)
	}
	for _, s := range members {
		if level > 0 {
			out = append(out, func([]float32) float64 { return level })
			continue
		}
		if s, err = e.exact(s, r); err != nil {
			return nil, err
		}
		null, err := e.null(ctx, s, &nullSet{r.Null, set})
		if err != nil {
			return nil, err
		}
		out = append(out, func(reference []float32) float64 { return levelOf(null.Null, reference) })
	}
	return out, nil
}

const (
	// levelMargin leaves room for distances that are not those of noise, for constraints that
	// are not met to the last digit, and for rounding to 8 bits.
	levelMargin = 0.5
	leastLevel  = 1e-4 // what float32 can hold
	mostRanked  = 4096 // elements of a reference whose ranks are compared
)

// levelOf is the relative L2 distance ε of activations from those t of a reference under
// which they are to pass. The SNR is −20·log₁₀ε. The correlation is at least
// √(1 − (ε‖t‖/‖t−mean‖)²). No distance vouches for ranks: for them it is the largest at which
// Gaussian noise costs half as much of their correlation as may be lost. The level is
// levelMargin of the least.
func levelOf(null metamer.Null, t []float32) float64 {
	mean, power, centred := 0.0, 0.0, 0.0
	for _, v := range t {
		mean += float64(v) / float64(len(t))
	}
	for _, v := range t {
		power += float64(v) * float64(v)
		centred += (float64(v) - mean) * (float64(v) - mean)
	}
	level := math.Pow(10, -null.SNR/20)
	if power > 0 {
		level = min(level, math.Sqrt(max(1-null.Pearson*null.Pearson, 0)*centred/power))
		level = min(level, rankLevel(t, math.Sqrt(power/float64(len(t))), (1+null.Spearman)/2, level))
	}
	return max(levelMargin*level, leastLevel)
}

// rankLevel is the largest ε up to most at which t and t with Gaussian noise of a standard
// deviation of ε·scale have at least the given rank correlation. Activations of a ReLU stay
// above 0.
func rankLevel(t []float32, scale, spearman, most float64) float64 {
	stride := (len(t) + mostRanked - 1) / mostRanked
	var ref []float32
	var noise []float64
	positive := true
	src := rand.New(rand.NewPCG(1, 2)) // the same noise for all
	for i := 0; i < len(t); i += stride {
		ref, noise = append(ref, t[i]), append(noise, src.NormFloat64())
		positive = positive && t[i] >= 0
	}
	enough := func(level float64) bool {
		noisy := make([]float32, len(ref))
		for i, v := range ref {
			if noisy[i] = v + float32(level*scale*noise[i]); positive {
				noisy[i] = max(noisy[i], 0)
			}
		}
		v := evaluate.NewVectors([][]float32{ref, noisy})
		return evaluate.Spearman(v[0], v[1]) >= spearman
	}
	if enough(most) {
		return most
	}
	low, high := math.Log(leastLevel), math.Log(most)
	for range 12 {
		if middle := (low + high) / 2; enough(math.Exp(middle)) {
			low = middle
		} else {
			high = middle
		}
	}
	return math.Exp(low)
}
