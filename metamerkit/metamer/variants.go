package metamer

import (
	"fmt"
	"math"
	"slices"
)

// Variants asks for several metamers of each reference that differ from each other as much
// as the match allows (docs/against.md). The images of such a run are the variants: those of
// the first reference, then those of the second, and so on.
type Variants struct {
	Count int `json:"count"` // of each reference
	// Metric is the difference of two variants that is driven up, one of VariantMetrics; default
	// pixels.
	Metric string `json:"metric" yaml:"metric,omitempty"`
	// Level and Every are as those of Against.
	Level float64 `json:"level,omitempty" yaml:"level,omitempty"`
	Every int     `json:"every,omitempty" yaml:"every,omitempty"`
}

// VariantMetrics are the differences of variants: the root mean square of the difference of
// their pixels, 1 − SSIM of their luma (SSIMWindow pixels a side or more), or none, which leaves the
// variants to their different starts.
var VariantMetrics = []string{"pixels", "ssim", "none"}

// SSIMWindow is the side in pixels of SSIM's window (Wang et al. 2004), the least of images.
const SSIMWindow = 11

// UnmarshalYAML reads a number or fields.
func (v *Variants) UnmarshalYAML(unmarshal func(any) error) error {
	if unmarshal(&v.Count) == nil {
		return nil
	}
	type fields Variants
	return unmarshal((*fields)(v))
}

// withDefaults sets the fields that are unset.
func (v Variants) withDefaults() *Variants {
	def(&v.Metric, "pixels")
	if v.Repel() {
		def(&v.Every, 10)
	}
	return &v
}

// Repel reports whether the variants drive each other apart.
func (v *Variants) Repel() bool { return v != nil && v.Metric != "none" }

// validate reports what cannot be carried out.
func (v *Variants) validate(r Recipe) error {
	if v == nil {
		return nil
	}
	if v.Count < 2 {
		return fmt.Errorf("variants: %d of each image, expected at least 2", v.Count)
	}
	if err := check("metric", v.Metric, VariantMetrics); err != nil {
		return fmt.Errorf("variants: %w", err)
	}
	switch {
	case r.Against != nil:
		return fmt.Errorf("variants: a recipe cannot ask for variants and be against other models")
	case r.Start.Kind == "reference" || r.Start.Kind == "image":
		return fmt.Errorf("variants: all variants would begin at the same image (start %s), expected noise, grey or uniform", r.Start.Kind)
	case r.Batch%v.Count != 0 && r.Batch != AutoBatch:
		return fmt.Errorf("variants: batches of %d images, expected a multiple of %d, so that the variants of an image are in one batch", r.Batch, v.Count)
	case r.Images.First%v.Count != 0 || r.Images.Count%v.Count != 0 && r.Images.Count != 1: // 1: not opened yet
		return fmt.Errorf("variants: images %d to %d, expected all %d variants of each reference", r.Images.First, r.Images.First+r.Images.Count-1, v.Count)
	case v.Metric == "ssim" && r.Images.Size > 0 && r.Images.Size < SSIMWindow:
		return fmt.Errorf("variants: the metric ssim has no value for images of %d pixels a side, expected %d or more", r.Images.Size, SSIMWindow)
	case !v.Repel() && (v.Level != 0 || v.Every != 0):
		return fmt.Errorf("variants: a level and an update of multipliers belong to a difference that is driven up, expected another metric than none")
	}
	return nil
}

// Of is the references, each as often as it has variants, and next to each other. A set that
// is so already is returned as it is.
func (v *Variants) Of(set *ImageSet) *ImageSet {
	if v == nil || set == nil || set.Copies == v.Count {
		return set
	}
	out := *set
	out.Copies, out.First, out.Of = v.Count, set.First*v.Count, set.Of*v.Count
	out.Names, out.Labels, out.Pixels = nil, nil, make([]float32, 0, len(set.Pixels)*v.Count)
	for i := range set.Names {
		for range v.Count {
			out.Names, out.Labels, out.Pixels = append(out.Names, set.Names[i]), append(out.Labels, set.Labels[i]), append(out.Pixels, set.Image(i)...)
		}
	}
	return &out
}

// Whole is a batch of at most so many images that splits no reference's variants.
func (v *Variants) Whole(batch int) int {
	if v == nil || v.Count < 1 || batch < 1 {
		return batch
	}
	return max(batch/v.Count, 1) * v.Count
}

// Each is the number of images that a run has of each reference.
func (v *Variants) Each() int {
	if v == nil {
		return 1
	}
	return v.Count
}

// VariantGroups returns for each reference those of its variants whose distances count: the
// metamers, or all where that is not tested. It is empty for a run without variants.
func (r *Run) VariantGroups() (groups [][]int) {
	k, outcomes := r.Recipe.Variants.Each(), r.Outcomes()
	for first := 0; k > 1 && first < r.Recipe.Images.Count; first += k {
		var group []int
		for i := first; i < first+k; i++ {
			if outcomes[i] != Fail {
				group = append(group, i)
			}
		}
		groups = append(groups, group)
	}
	return groups
}

// Spread returns for each reference the mean distance of two of its variants, the root mean
// square of the difference of their pixels, and the same of their starts (NaN where these are
// not known). Where a group of VariantGroups has fewer than two it is NaN.
func (r *Run) Spread() (metamers, starts []float64) {
	per := r.Recipe.Images.Size * r.Recipe.Images.Size * 3
	for _, group := range r.VariantGroups() {
		metamers, starts = append(metamers, meanDistance(r.Metamers, per, group)), append(starts, meanDistance(r.Start, per, group))
	}
	return metamers, starts
}

// meanDistance is the mean over pairs of images of the root mean square of their difference.
func meanDistance(pixels []float32, per int, group []int) float64 {
	sum, pairs := 0.0, 0
	for n, i := range group {
		for _, j := range group[:n] {
			if (i+1)*per > len(pixels) {
				return math.NaN()
			}
			square := 0.0
			for p := range per {
				d := float64(pixels[i*per+p]) - float64(pixels[j*per+p])
				square += d * d
			}
			sum, pairs = sum+math.Sqrt(square/float64(per)), pairs+1
		}
	}
	return sum / float64(pairs)
}

// spreadText says how far the variants are apart in one phrase.
func (r *Run) spreadText() string {
	mean := func(values []float64) string {
		values = slices.DeleteFunc(values, math.IsNaN)
		sum := 0.0
		for _, v := range values {
			sum += v / float64(len(values))
		}
		if len(values) == 0 {
			return "–"
		}
		return fmt.Sprintf("%.3f", sum)
	}
	metamers, starts := r.Spread()
	return fmt.Sprintf("mean distance of two metamers of an image %s, of their starts %s (root mean square over pixels)", mean(metamers), mean(starts))
}
