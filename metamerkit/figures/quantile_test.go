package figures

import (
	"math"
	"testing"
)

// As numpy.quantile has them.
func TestQuantile(t *testing.T) {
	for _, c := range []struct {
		p    float64
		v    []float64
		want float64
	}{
		{0.5, []float64{1, 2, 10, 20}, 6}, {0.25, []float64{1, 2, 10, 20}, 1.75}, {0.75, []float64{1, 2, 10, 20}, 12.5},
		{0.5, []float64{1, 2, 10}, 2}, {0.5, []float64{3}, 3}, {0, []float64{1, 2}, 1}, {1, []float64{1, 2}, 2},
	} {
		if got := Quantile(c.p, c.v); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("quantile %v of %v is %v, expected %v", c.p, c.v, got, c.want)
		}
	}
	if !math.IsNaN(Quantile(0.5, nil)) {
		t.Error("nothing has a median")
	}
}
