package evaluate

import "math"

// Class returns the index of the largest logit, the first of equal ones. It returns -1 for
// no logits and if one is NaN.
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

// Same returns one value per image: 1 if the metamer's class got is the wanted class, else
// 0, and NaN if no class is wanted (-1). With the classes of the references as wanted, its
// mean is recognizability. A metamer without a class (-1, see Class) counts as 0.
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

// Category returns the index in Categories of the category with the largest mean
// probability over its classes (Geirhos et al. 2018, the default of model-vs-human). The
// logits are those of a classifier of the 1000 classes of ImageNet-1k. It returns -1 for
// any other number of logits and for logits that are not finite.
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

// CategoryOf returns the index in Categories of an ImageNet-1k class (0 to 999), or -1 if
// the class is in none of them.
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
