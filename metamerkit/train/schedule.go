package train

import "math"

// rate returns the learning rate of a step (from 0, or between two) of n. One cycle rises along a
// cosine from a 25th of the largest rate to it and falls to a 10,000th (Smith &
// Topin 2018, arXiv:1708.07120, as PyTorch's OneCycleLR); cosine rises along a line
// and falls to 0; constant only rises.
func (o Options) rate(at float64, n int) float64 {
	up := o.Warmup * float64(n)
	between := func(a, b, share float64) float64 { return b + (a-b)*(1+math.Cos(math.Pi*share))/2 }
	fall := (at - up) / math.Max(float64(n)-up, 1)
	switch o.Schedule {
	case "onecycle":
		if at < up {
			return between(o.LR/25, o.LR, at/up)
		}
		return between(o.LR, o.LR/1e4, fall)
	case "cosine":
		if at < up {
			return o.LR * (at + 1) / (up + 1)
		}
		return between(o.LR, 0, fall)
	}
	if at < up {
		return o.LR * (at + 1) / (up + 1)
	}
	return o.LR
}
