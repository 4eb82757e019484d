package evaluate

import (
	"errors"
	"math"
	"testing"
)

func TestClass(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		logits []float32
		want   int
	}{{[]float32{1, 3, 2}, 1}, {[]float32{2, 2}, 0}, {nil, -1}, {[]float32{1, nan, 9}, -1}, {[]float32{nan}, -1}} {
		if got := Class(c.logits); got != c.want {
			t.Errorf("%v is of class %d, expected %d", c.logits, got, c.want)
		}
	}
	got := Same([]int{3, 3, -1, 2}, []int{3, 4, 1, -1})
	if got[0] != 1 || got[1] != 0 || !math.IsNaN(got[2]) || got[3] != 0 {
		t.Errorf("%v", got)
	}
}

func TestShare(t *testing.T) {
	nan := math.NaN()
	b := Bootstrap{Resamples: 500}
	mean, low, high, count, err := b.Share([]float64{1, 0, 1, 1, nan, 0, 1, 1})
	if err != nil || math.Abs(mean-5./7) > 1e-15 || count != 7 || !(low < mean && mean < high && low > 0 && high <= 1) {
		t.Errorf("%v [%v, %v] of %d: %v", mean, low, high, count, err)
	}
	mean, low, high, _, err = b.Share([]float64{1, 1, 1, 1})
	if err != nil || mean != 1 || high != 1 || !(low > 0.4 && low < 0.6) { // Wilson's 4 of 4: 0.51
		t.Errorf("all recognized: %v [%v, %v], %v", mean, low, high, err)
	}
	if mean, low, high, _, err = b.Share([]float64{0, 0}); err != nil || mean != 0 || low != 0 || high < 0.5 {
		t.Errorf("none recognized: %v [%v, %v], %v", mean, low, high, err)
	}
	var why Undefined
	if _, _, _, count, err = b.Share([]float64{nan, nan}); count != 0 || !errors.As(err, &why) {
		t.Errorf("no value: %v", err)
	}
	if mean, low, _, _, err = b.Share([]float64{0.3}); mean != 0.3 || !math.IsNaN(low) || !errors.As(err, &why) {
		t.Errorf("one image: %v [%v, %v", mean, low, err)
	}
	if _, _, _, _, err = (Bootstrap{Method: "bcaa"}).Mean([]float64{1, 2}); err == nil || errors.As(err, &why) {
		t.Errorf("a wrong method: %v", err)
	}
}

func TestComparisonsRefuse(t *testing.T) {
	if _, _, _, err := McNemar([]float64{1, 0.5}, []float64{0, 0}); err == nil {
		t.Error("McNemar of 0.5")
	}
	if _, _, _, err := McNemar([]float64{1}, []float64{0, 0}); err == nil {
		t.Error("McNemar of 1 and 2 images")
	}
	var why Undefined
	if _, _, err := Wilcoxon([]float64{0, math.NaN()}); !errors.As(err, &why) {
		t.Errorf("Wilcoxon of nothing: %v", err)
	}
	d, low, high, n, err := Difference([]float64{2, 3, 4, math.NaN()}, []float64{1, 1, 1, 1}, Bootstrap{Resamples: 200})
	if err != nil || d != 2 || n != 3 || !(low < 2 && high > 2) {
		t.Errorf("%v [%v, %v] %d %v", d, low, high, n, err)
	}
}

// A measure that happens to be 0 or 1 for every image, such as a share of pixels or a
// correlation, is no outcome.
func TestMeanOfEqualValues(t *testing.T) {
	for _, v := range []float64{0, 1, .5} {
		mean, low, high, count, err := Bootstrap{Resamples: 100}.Mean([]float64{v, v, math.NaN(), v, v})
		if err != nil || count != 4 || mean != v || low != v || high != v {
			t.Errorf("%v: %v [%v, %v] of %d, %v", v, mean, low, high, count, err)
		}
	}
}
