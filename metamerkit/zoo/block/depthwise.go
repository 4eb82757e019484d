package block

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ensemble-metamers/metamers/metamerkit/backend/onednn"
)

// depthwise is the convolution of each channel alone, kernel [K,K,1,C]: shifted views
// times factors, summed. Its gradient is of the same form, so that the graph has K·K
// terms each way whatever the number of channels.
func (w Window) depthwise(x, kernel *Node, training bool) *Node {
	factors := func(i, j int) *Node { return Reshape(tap(kernel, i, j), 1, 1, 1, -1) }
	forward := func(x *Node) *Node {
		var terms []*Node
		for i, v := range w.patches(x) {
			terms = append(terms, Mul(v, factors(i/w.K, i%w.K)))
		}
		return sum(terms)
	}
	spread := func(v *Node) *Node {
		return w.spread(x, func(i, j int, v []*Node) *Node { return Mul(v[0], factors(i, j)) }, v)
	}
	if !training && onCPU(x) && onednn.Computes(x.DType()) {
		return w.depthwiseWhole(x, kernel, spread)
	}
	if !training {
		return linear(x, forward, spread)
	}
	return adjoint([]*Node{x, kernel}, func(in []*Node) *Node { return forward(in[0]) }, func(v *Node) []*Node {
		return []*Node{spread(v), w.correlate(x, v)}
	})
}

// depthwiseWhole is depthwise as a convolution with a group for each channel, which oneDNN
// computes many times faster than XLA, and with stride 1 so is its gradient.
func (w Window) depthwiseWhole(x, kernel *Node, spread func(v *Node) *Node) *Node {
	convolve := func(kernel *Node, stride int, pads [2][2]int) func(x *Node) *Node {
		return func(x *Node) *Node {
			return Convolve(x, kernel).Strides(stride).PaddingPerDim(pads[:]).ChannelGroupCount(channels(x)).Done()
		}
	}
	pads, _ := w.frame(x)
	if w.stride() == 1 {
		spread = convolve(Reverse(kernel, 0, 1), 1, w.back(x))
	}
	return linear(x, convolve(kernel, w.stride(), pads), spread)
}

// correlate is the gradient of depthwise by its kernel [K,K,1,C], for a gradient v of
// the result: one sum over images and pixels for each element of the window.
//
// On XLA each sum waits for the one before it. Left alone, they become one loop that
// is three times slower than all of them one after the other.
func (w Window) correlate(x, v *Node) *Node {
	pads, n := w.frame(x)
	x = frameHW(x, 1, pads)
	var sums []*Node
	for i := range w.K * w.K {
		if i > 0 {
			held := OptimizationBarriers(x, sums[i-1])
			x, sums[i-1] = held[0], held[1]
		}
		sums = append(sums, ReduceSum(Mul(w.view(x, i/w.K, i%w.K, n), v), 0, 1, 2))
	}
	return Reshape(Stack(sums, 0), w.K, w.K, 1, channels(x))
}

// spread brings what windows say of their elements, v [B,H',W',C] each, to x's shape: a
// pixel is the sum of term over all windows that see it, as their element i,j. Pixels of x
// in the same place modulo the stride see the same elements of the window. Each such
// phase is a sum of shifted views of v; then phases are interleaved.
func (w Window) spread(x *Node, term func(i, j int, v []*Node) *Node, v ...*Node) *Node {
	s, size := w.stride(), [2]int{x.Shape().Dim(1), x.Shape().Dim(2)}
	pads, n := w.frame(x)
	// Row s·m+a of x is seen by element i of window (s·m+a+start−i)/s, for m < rows.
	rows := [2]int{(size[0] + s - 1) / s, (size[1] + s - 1) / s}
	before := (w.K - 1) / s
	var margin [2][2]int
	for i := range 2 {
		margin[i] = [2]int{before, max(rows[i]+(s-1+pads[i][0])/s-n[i], 0)}
	}
	for i := range v {
		v[i] = frameHW(v[i], 1, margin)
	}
	var phases []*Node
	for a := range s {
		var row []*Node
		for b := range s {
			var terms []*Node
			for i := (a + pads[0][0]) % s; i < w.K; i += s {
				for j := (b + pads[1][0]) % s; j < w.K; j += s {
					y, x := before+(a+pads[0][0]-i)/s, before+(b+pads[1][0]-j)/s
					var views []*Node
					for _, v := range v {
						views = append(views, Slice(v, AxisRange(), AxisRange(y, y+rows[0]), AxisRange(x, x+rows[1])))
					}
					terms = append(terms, term(i, j, views))
				}
			}
			if terms == nil { // no window sees this phase: the stride is larger than the window
				terms = append(terms, ZerosLike(Slice(v[0], AxisRange(), AxisRange(0, rows[0]), AxisRange(0, rows[1]))))
			}
			row = append(row, sum(terms))
		}
		phases = append(phases, Stack(row, 3)) // [B,rows,rows,S,C]
	}
	if s == 1 {
		return Reshape(phases[0], x.Shape().Dimensions...)
	}
	all := Stack(phases, 2) // [B,rows,S,rows,S,C]
	all = Reshape(all, x.Shape().Dim(0), rows[0]*s, rows[1]*s, channels(x))
	return Slice(all, AxisRange(), AxisRange(0, size[0]), AxisRange(0, size[1]))
}

func sum(terms []*Node) *Node {
	y := terms[0]
	for _, t := range terms[1:] {
		y = Add(y, t)
	}
	return y
}
