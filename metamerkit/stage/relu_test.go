package stage

import (
	"math"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
)

// ReLU has PyTorch's gradient, 0 at 0, and does not hide a NaN.
func TestReLU(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		g := NewGraph(b.Compute, "relu")
		x := Parameter(g, "x", shapes.Make(dtypes.Float32, 4))
		y := ReLU(x)
		if err := g.Compile(y, Gradient(ReduceAllSum(y), x)[0]); err != nil {
			t.Fatal(err)
		}
		nan := float32(math.NaN())
		out := g.Run(tensors.FromFlatDataAndDimensions([]float32{-2, 0, 3, nan}, 4))
		values, slopes := tensors.MustCopyFlatData[float32](out[0]), tensors.MustCopyFlatData[float32](out[1])
		if !slices.Equal(values[:3], []float32{0, 0, 3}) || values[3] == values[3] {
			t.Errorf("ReLU of -2, 0, 3, NaN is %v", values)
		}
		if !slices.Equal(slopes[:3], []float32{0, 0, 1}) {
			t.Errorf("its gradient is %v, expected 0, 0, 1", slopes[:3])
		}
	})
}
