package metamer

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// A set with variants has each image several times next to each other, also as a part, and
// batches hold whole groups.
func TestVariantsOf(t *testing.T) {
	set := &ImageSet{Size: 1, Names: []string{"a", "b"}, Labels: []int{3, 4}, Pixels: []float32{0, 0, 0, 1, 1, 1}, First: 5, Of: 9}
	v := &Variants{Count: 3}
	got := v.Of(set)
	if !slices.Equal(got.Names, []string{"a", "a", "a", "b", "b", "b"}) || !slices.Equal(got.Labels, []int{3, 3, 3, 4, 4, 4}) || got.First != 15 || got.Of != 27 || got.Pixels[8] != 0 || got.Pixels[9] != 1 || len(got.Pixels) != 18 {
		t.Errorf("%+v", got)
	}
	if v.Of(got) != got || (*Variants)(nil).Of(set) != set {
		t.Error("a set that has its variants changes")
	}
	for batch, want := range map[int]int{1: 3, 3: 3, 8: 6, AutoBatch: AutoBatch} {
		if n := v.Whole(batch); n != want {
			t.Errorf("a batch of %d is %d, expected %d", batch, n, want)
		}
	}
}

// The spread is that of variants that are metamers.
func TestSpread(t *testing.T) {
	r := Run{Recipe: Recipe{Variants: &Variants{Count: 3}, Images: ImageRef{Count: 6, Size: 1}}, Start: make([]float32, 18)}
	for i, level := range []float32{0, 0.5, 0.9, 0, 1, 0.5} {
		r.Metamers = append(r.Metamers, level, level, level)
		r.Statistics = append(r.Statistics, MatchStatistics{Image: i, Member: "m", Verdict: []string{Pass, Pass, Fail, Fail, Fail, Pass}[i]})
	}
	metamers, starts := r.Spread()
	if len(metamers) != 2 || math.Abs(metamers[0]-0.5) > 1e-7 || !math.IsNaN(metamers[1]) || starts[0] != 0 {
		t.Errorf("%v and %v, expected .5, NaN and 0", metamers, starts)
	}
	if text := r.Verdict(); !strings.Contains(text, "mean distance of two metamers of an image 0.500, of their starts 0.000") {
		t.Error(text)
	}
}

// SSIM has no value for images smaller than its window.
func TestVariantsSSIM(t *testing.T) {
	for size, fits := range map[int]bool{10: false, 11: true, 32: true} {
		v := &Variants{Count: 2, Metric: "ssim"}
		err := v.validate(Recipe{Batch: 16, Images: ImageRef{Count: 2, Size: size}})
		if (err == nil) != fits || err != nil && !strings.Contains(err.Error(), "10 pixels a side, expected 11 or more") {
			t.Errorf("%d pixels: %v", size, err)
		}
	}
}
