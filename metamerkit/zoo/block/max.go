package block

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// Max is the largest value of each window of x [B,H,W,C]; padding never wins. The gradient
// goes to the first of equal values, row by row, as in PyTorch.
func (w Window) Max(x *Node) *Node {
	pads, n := w.frame(x)
	if !onCPU(x) && x.Graph().State(plainMaxKey{}) == nil {
		return MaxPool(x).Window(w.K).Strides(w.stride()).PaddingPerDim(pads[:]).Done()
	}
	// XLA's CPU plugin spreads the gradient of its own pool one number at a time.
	best := func(x *Node) (y, which *Node) { // which element of the window it is
		x = padHW(x, 1, pads, Infinity(x.Graph(), x.DType(), -1))
		for e := range w.K * w.K {
			v := w.view(x, e/w.K, e%w.K, n)
			if e == 0 {
				y, which = v, ZerosLike(v)
				continue
			}
			which = Where(GreaterThan(v, y), MulScalar(OnesLike(v), e), which)
			y = Max(y, v)
		}
		return y, which
	}
	// The largest is not linear in x, but its gradient is linear in v for this x.
	return linear(x, func(x *Node) *Node {
		y, _ := best(x)
		return y
	}, func(v *Node) *Node {
		_, which := best(StopGradient(x))
		return w.spread(x, func(i, j int, v []*Node) *Node {
			return Where(Equal(v[1], MulScalar(OnesLike(v[1]), i*w.K+j)), v[0], ZerosLike(v[0]))
		}, v, which)
	})
}

// plainMaxKey finds in a graph's state that PlainMax was called.
type plainMaxKey struct{}

// PlainMax has max pools in g made of operations that can be differentiated twice and in
// forward mode, whatever the backend.
func PlainMax(g *Graph) { g.AttachState(plainMaxKey{}, true) }
