package synth

import (
	"fmt"
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

var noise = backendtest.Normal

// The gradients of losses, penalties, and of what lies between pixels and a model
// (resizing up and down, normalisation, order of channels) agree with central
// finite differences along a random direction, on both backends.
func TestDifferences(t *testing.T) {
	type part struct {
		name string
		f    func(x *Node) *Node // [2,9,9,3] → anything
	}
	var parts []part
	for name, known := range map[string][]string{"losses": metamer.Losses, "penalties": metamer.Penalties} {
		if have := map[string]int{"losses": len(losses), "penalties": len(penalties)}[name]; have != len(known) {
			t.Errorf("%d formulas of %s, expected one for each of %v", have, name, known)
		}
	}
	for _, l := range metamer.Losses {
		parts = append(parts, part{l, func(x *Node) *Node { return distance(l, x, ConstTensor(x.Graph(), noise(5, 2, 9, 9, 3))) }})
	}
	for _, p := range metamer.Penalties {
		parts = append(parts, part{p, func(x *Node) *Node { return penalty([]metamer.Penalty{{Name: p, Weight: 30}}, x) }})
	}
	for _, size := range []int{5, 9, 20} {
		for _, order := range []string{"rgb", "bgr"} {
			in := card.Input{Size: size, Mean: [3]float64{.485, .456, .406}, Std: [3]float64{.229, .224, .225}, Order: order}
			parts = append(parts, part{fmt.Sprintf("%s to %d", order, size), func(x *Node) *Node { return zoo.Prepare(in, x) }})
		}
	}
	// Few neighbouring pixels are so near to each other that a step of h changes the
	// sign of their difference, in which total variation has its kinks.
	const h = 2e-3
	start, along := tensors.MustCopyFlatData[float32](noise(1, 2, 9, 9, 3)), tensors.MustCopyFlatData[float32](noise(2, 2, 9, 9, 3))
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		for _, p := range parts {
			g := NewGraph(b.Compute, p.name)
			x := Parameter(g, "x", noise(1, 2, 9, 9, 3).Shape())
			y := p.f(x)
			sum := ReduceAllSum(Mul(y, ConstTensor(g, noise(3, y.Shape().Dimensions...))))
			compile(g, sum, Gradient(sum, x)[0])
			at := func(step float32) (float64, []float32) {
				moved := make([]float32, len(start))
				for i := range moved {
					moved[i] = start[i] + step*along[i]
				}
				out := g.Run(tensors.FromFlatDataAndDimensions(moved, 2, 9, 9, 3))
				return float64(tensors.ToScalar[float32](out[0])), tensors.MustCopyFlatData[float32](out[1])
			}
			up, _ := at(h)
			down, _ := at(-h)
			_, grad := at(0)
			slope := 0.0
			for i, v := range grad {
				slope += float64(v) * float64(along[i])
			}
			if numeric := (up - down) / (2 * h); !(math.Abs(slope-numeric) <= 1e-2*math.Abs(numeric)+2e-4) {
				t.Errorf("%s: the gradient along a direction is %v, finite differences give %v", p.name, slope, numeric)
			} else {
				t.Logf("%s: %v, %v", p.name, slope, numeric)
			}
		}
	})
}
