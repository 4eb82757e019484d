package upstream

import (
	"strings"
	"testing"
	"time"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
)

// negativePad takes one element off each end.
func negativePad(g *Graph) []*Node {
	x := IotaFull(g, shapes.Make(dtypes.Float32, 4))
	return []*Node{Pad(x, ScalarZero(g, x.DType()), PadAxis{Start: -1, End: -1})}
}

// poolGradient is the gradient of a mean over 3×3 windows, stride 2, padding 1,
// which GoMLX writes with a negative Pad.
func poolGradient(g *Graph) []*Node {
	x := ConstTensor(g, normal(1, 1, 8, 8, 2))
	y := MeanPool(x).Window(3).Strides(2).PaddingPerDim([][2]int{{1, 1}, {1, 1}}).Done()
	return []*Node{Gradient(ReduceAllSum(Square(y)), x)[0]}
}

// TestNegativePad: the Go backend ends the process on a Pad with negative
// padding, such as in the gradient of a padded mean pool. Ours, which computes on the
// caller's goroutine, panics where it can be caught.
func TestNegativePad(t *testing.T) {
	for name, draw := range map[string]func(g *Graph) []*Node{"pad": negativePad, "mean pool gradient": poolGradient} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
				if b.Kind != backend.Go {
					must(t, b, draw)
					return
				}
				if _, err := compute(b, draw); err == nil || !strings.Contains(err.Error(), "slice bounds out of range") {
					t.Errorf("changed upstream: expected a panic that our backend can catch, got %v", err)
				}
				out, ok := inChild(t, func(t *testing.T) {
					if _, err := compute(asItComes(t), draw); err != nil {
						// Run may fail ("output 0 not computed") before the panic has
						// ended the process.
						time.Sleep(time.Hour)
						t.Fatal(err)
					}
				})
				if ok {
					fixed(t, "metamerkit/zoo/onnx/pool.go (AveragePool by matrices)")
				} else if !strings.Contains(out, "panic: runtime error: slice bounds out of range") {
					t.Errorf("changed upstream: expected the process to end with a panic, got:\n%s", out)
				}
			})
		})
	}
}
