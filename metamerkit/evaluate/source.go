package evaluate

import (
	"context"
	"math"
	"slices"
)

// Source gives the activations of a number of images in blocks, so that they need not be in
// memory together.
type Source interface {
	Len() int // images
	Dim() int // values of one activation, flattened
	// Read returns the activations of the images from ≤ i < to. Callers do not change them,
	// and use them no longer than until the second of the following calls.
	Read(ctx context.Context, from, to int) ([][]float32, error)
}

// Held is a Source in memory: one flattened activation per image.
type Held [][]float32

// Len returns the number of images.
func (h Held) Len() int { return len(h) }

// Dim returns the length of the first activation. All activations must have this length.
func (h Held) Dim() int {
	if len(h) == 0 {
		return 0
	}
	return len(h[0])
}

// Read returns the activations from ≤ i < to without copying.
func (h Held) Read(_ context.Context, from, to int) ([][]float32, error) { return h[from:to], nil }

// Ranked returns a Source of the ranks of src's activations, counted from 1 with ties
// averaged. Ranks are exact in float32 for up to 2²³ values. Activations that are not
// finite are returned unchanged.
func Ranked(src Source) Source { return ranked{src} }

type ranked struct{ Source }

func (r ranked) Read(ctx context.Context, from, to int) ([][]float32, error) {
	acts, err := r.Source.Read(ctx, from, to)
	if err != nil {
		return nil, err
	}
	out := make([][]float32, len(acts))
	split(len(acts), func(from, to int) {
		for i := from; i < to && ctx.Err() == nil; i++ {
			if out[i] = acts[i]; finite(acts[i]) {
				out[i] = ranks32(acts[i])
			}
		}
	})
	return out, ctx.Err()
}

// ranks32 are ranks of values that are all finite.
func ranks32(a []float32) []float32 {
	order := make([]int32, len(a))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(i, j int32) int {
		switch {
		case a[i] < a[j]:
			return -1
		case a[i] > a[j]:
			return 1
		}
		return 0
	})
	out := make([]float32, len(a))
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && a[order[j]] == a[order[i]] {
			j++
		}
		for _, k := range order[i:j] {
			out[k] = float32(i+j+1) / 2
		}
		i = j
	}
	return out
}

func finite(a []float32) bool {
	_, _, ok := span(a)
	return ok
}

// span returns the smallest and largest value, and whether all are finite.
func span(a []float32) (lo, hi float32, finite bool) {
	lo, hi = float32(math.Inf(1)), float32(math.Inf(-1))
	for _, v := range a {
		if v != v || v > math.MaxFloat32 || v < -math.MaxFloat32 {
			return 0, 0, false
		}
		lo, hi = min(lo, v), max(hi, v)
	}
	return lo, hi, len(a) > 0
}
