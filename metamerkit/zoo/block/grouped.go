package block

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// grouped is the convolution in groups: the backend's own, with the backend's own as
// the gradient, or, in training, a batch of matrices over patches.
func (w Window) grouped(x, kernel *Node, training bool) *Node {
	g, k, c, out := w.groups(), w.K, kernel.Shape().Dim(2), kernel.Shape().Dim(3)
	if training {
		views := w.patches(x)
		for i, v := range views {
			views[i] = Reshape(v, -1, g, c)
		}
		d := views[0].Shape().Dim(0)
		p := Concatenate(views, 2) // [B·H'·W',G,K·K·C/G]
		y := product(p, []int{2}, []int{1}, Reshape(kernel, k*k*c, g, out/g), []int{0}, []int{1})
		_, n := w.frame(x)
		return Reshape(TransposeAllAxes(y, 1, 0, 2), d/n[0]/n[1], n[0], n[1], out)
	}
	pads, _ := w.frame(x)
	back := w.back(x)
	return linear(x, func(x *Node) *Node {
		return Convolve(x, kernel).ChannelGroupCount(g).Strides(w.stride()).PaddingPerDim(pads[:]).Done()
	}, func(v *Node) *Node {
		// In each group inputs and outputs change places.
		t := Reshape(Reverse(kernel, 0, 1), k, k, c, g, out/g)
		t = Reshape(TransposeAllAxes(t, 0, 1, 4, 3, 2), k, k, out/g, g*c)
		s := w.stride()
		conv := Convolve(v, t).ChannelGroupCount(g).PaddingPerDim(back[:])
		if s > 1 {
			conv = conv.InputDilationPerAxis(s, s)
		}
		return conv.Done()
	})
}
