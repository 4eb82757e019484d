package zoo

import (
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
)

// NotFiniteError reports weights that are NaN or infinite, or variances below 0.
type NotFiniteError struct {
	Path, Tensor string
	Value        float32 // the first
	Count, Of    int
}

func (e *NotFiniteError) Error() string {
	which := "NaN or infinite"
	if !notFinite(e.Value) {
		which = "below 0, NaN or infinite, expected variances"
	}
	return fmt.Sprintf("%s: tensor %s holds %v (%d of its %d values are %s): training diverged, or the file is damaged",
		e.Path, e.Tensor, e.Value, e.Count, e.Of, which)
}

// finite counts values that cannot be used.
type finite struct {
	unfit func(float32) bool
	bad   int
	first float32
}

func (f *finite) look(values []float32) {
	for _, v := range values {
		if f.unfit(v) {
			if f.bad == 0 {
				f.first = v
			}
			f.bad++
		}
	}
}

func notFinite(v float32) bool  { return math.Float32bits(v)&0x7f800000 == 0x7f800000 }
func noVariance(v float32) bool { return notFinite(v) || v < 0 }
func notANumber(v float32) bool { return v != v }

// numbers is an error where a weight is NaN. Infinite numbers are left to match: an ONNX file
// may have them as constants of a mask.
func (n *Net) numbers(path string) error {
	for _, at := range slices.Sorted(maps.Keys(n.Weights)) {
		t := n.Weights[at]
		if t.DType() != dtypes.Float32 {
			continue
		}
		f := finite{unfit: notANumber}
		tensors.MustConstFlatData(t, f.look)
		if f.bad > 0 {
			name, ok := n.Names[at]
			if !ok {
				name = keyOf(at)
			}
			return &NotFiniteError{filepath.Base(path), name, f.first, f.bad, t.Shape().Size()}
		}
	}
	return nil
}
