package figures

import "math"

// Quantile is that of sorted values, interpolated as numpy.quantile does by default
// (type 7 of Hyndman and Fan 1996), so that the median of four values lies between the
// second and the third; NaN of none.
func Quantile(p float64, sorted []float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := p * float64(len(sorted)-1)
	i := min(int(at), max(len(sorted)-2, 0))
	if len(sorted) == 1 {
		return sorted[0]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}
