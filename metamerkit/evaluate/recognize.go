package evaluate

import "math"

// Class returns the class that logits stand for: the index of the largest, the
// first of equal ones; -1 when there is none or one is NaN.
func Class(logits []float32) int {
	at := -1
	for i, v := range logits {
		if v != v {
			return -1
		}
		if at < 0 || v > logits[at] {
			at = i
		}
	}
	return at
}

// Same returns 1 where the metamer's class is the wanted one and 0 where it is not,
// an image a value: with the classes of the references it is recognizability, with
// the true ones its variant. Where no class is wanted (-1) it is NaN; a metamer
// without a class (logits that are not numbers) is not recognized.
func Same(wanted, got []int) []float64 {
	out := make([]float64, len(wanted))
	for i, w := range wanted {
		switch {
		case w < 0:
			out[i] = math.NaN()
		case w == got[i]:
			out[i] = 1
		}
	}
	return out
}

// Category returns the category, an index into Categories, that a classifier of
// ImageNet's 1000 classes decides for: the one with the largest mean probability
// over its classes (Geirhos et al. 2018, model-vs-human's default). -1 for other
// than 1000 logits and for logits that are not finite.
func Category(logits []float32) int {
	if len(logits) != 1000 {
		return -1
	}
	top := logits[0]
	for _, v := range logits {
		if v != v || math.IsInf(float64(v), 0) {
			return -1
		}
		top = max(top, v)
	}
	best, at := -1.0, -1
	for c, category := range Categories {
		sum := 0.0
		for _, k := range category.Classes {
			sum += math.Exp(float64(logits[k] - top))
		}
		if mean := sum / float64(len(category.Classes)); mean > best {
			best, at = mean, c
		}
	}
	return at
}

// CategoryOf returns the category that an ImageNet class belongs to, -1 for most.
func CategoryOf(class int) int {
	for c, category := range Categories {
		for _, k := range category.Classes {
			if k == class {
				return c
			}
		}
	}
	return -1
}
