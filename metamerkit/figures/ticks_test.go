package figures

import (
	"slices"
	"testing"
)

// However short a logarithmic axis is, three of its ticks have names.
func TestFewDecades(t *testing.T) {
	for _, x := range []struct {
		low, high float64
		want      []string
	}{
		{0.7, 1.5, []string{"0.7", "0.8", "0.9", "1"}},
		{0.3, 3, []string{"0.5", "1", "2"}},
		{0.002, 9, []string{"0.01", "0.1", "1"}},
		{1e-7, 1, []string{"1e-07", "1e-06", "1e-05", "0.0001", "0.001", "0.01", "0.1", "1"}},
	} {
		var got []string
		for _, tick := range (fewDecades{}).Ticks(x.low, x.high) {
			if tick.Label != "" {
				got = append(got, tick.Label)
			}
		}
		if !slices.Equal(got, x.want) {
			t.Errorf("%g to %g: %q, want %q", x.low, x.high, got, x.want)
		}
	}
}
