package block

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Window is the geometry of a convolution or pool, the same for both axes.
type Window struct {
	K      int  // rows and columns
	Stride int  // 0 for 1
	Pad    int  // rows and columns of padding on each side
	Same   bool // TensorFlow's padding in place of Pad: as little as gives ⌈size/stride⌉, an odd one at the end
	Groups int  // of channels, in convolutions; 0 for 1
	Ceil   bool // pools: a last window that reaches over the edge counts (PyTorch's ceil_mode)
}

// Conv is the convolution with bias: x [B,H,W,C] → [B,H',W',out]. Its variables in s are
// weight [K,K,C/Groups,out] and bias [out].
func (w Window) Conv(s *model.Scope, x *Node, out int) *Node {
	return Add(w.ConvNoBias(s, x, out), ExpandLeftToRank(Weight(s, x, "bias", out), 4))
}

// ConvNoBias is the convolution without bias: x [B,H,W,C] → [B,H',W',out]. Its variable in
// s is weight [K,K,C/Groups,out].
func (w Window) ConvNoBias(s *model.Scope, x *Node, out int) *Node {
	kernel := func() *Node { return w.kernel(s, x, out) }
	if s.IsTraining(x.Graph()) {
		return w.convolve(x, kernel(), true)
	}
	return w.frozen(s, x, out, false, kernel)
}

// ConvNorm is ConvNoBias with variables in conv, followed by a batch normalisation (ε =
// eps) with variables in norm: weight, bias, running_mean, running_var, each [out]. Frozen
// statistics are folded into the kernel and bias. In training it normalises by the batch.
func (w Window) ConvNorm(conv, norm *model.Scope, x *Node, out int, eps float64) *Node {
	if conv.IsTraining(x.Graph()) {
		return batchNorm(norm, w.convolve(x, w.kernel(conv, x, out), true), eps)
	}
	scale, shift := affine(norm, x, out, eps)
	y := w.frozen(conv, x, out, true, func() *Node { return narrow(Mul(w.kernel(conv, wide(x), out), ExpandLeftToRank(scale, 4)), x) })
	return Add(y, ExpandLeftToRank(narrow(shift, x), 4))
}

// Norm is a batch normalisation (ε = eps) of the last axis of x, with the running
// statistics; in training, with those of the batch.
func Norm(s *model.Scope, x *Node, eps float64) *Node {
	if s.IsTraining(x.Graph()) {
		return batchNorm(s, x, eps)
	}
	scale, shift := affine(s, x, channels(x), eps)
	return narrow(Add(Mul(wide(x), ExpandLeftToRank(scale, x.Rank())), ExpandLeftToRank(shift, x.Rank())), x)
}

// affine is a frozen batch normalisation as a factor and a term for each channel, in
// float32.
func affine(s *model.Scope, x *Node, c int, eps float64) (scale, shift *Node) {
	x = wide(x)
	gain, bias := Weight(s, x, "weight", c), Weight(s, x, "bias", c)
	mean, variance := Weight(s, x, "running_mean", c), Weight(s, x, "running_var", c)
	scale = Div(gain, Sqrt(AddScalar(variance, eps)))
	return scale, Sub(bias, Mul(mean, scale))
}

// Conv is a k×k convolution with bias: x [B,H,W,C] → [B,H',W',out]. Its variables in s are
// weight [k,k,C,out] and bias [out].
func Conv(s *model.Scope, x *Node, out, k, stride, pad int) *Node {
	return Window{K: k, Stride: stride, Pad: pad}.Conv(s, x, out)
}

// ConvNorm is a k×k convolution without bias, with variables in conv, followed by a batch
// normalisation (ε = 1e-5) with variables in norm: x [B,H,W,C] → [B,H',W',out]. See
// Window.ConvNorm.
func ConvNorm(conv, norm *model.Scope, x *Node, out, k, stride, pad int) *Node {
	return Window{K: k, Stride: stride, Pad: pad}.ConvNorm(conv, norm, x, out, 1e-5)
}

// kernel reads the weight [K,K,C/Groups,out].
func (w Window) kernel(s *model.Scope, x *Node, out int) *Node {
	if c := channels(x); c%w.groups() != 0 || out%w.groups() != 0 {
		panic(fmt.Errorf("block: %d channels to %d in %d groups: expected multiples of the groups", c, out, w.groups()))
	}
	return Weight(s, x, "weight", w.K, w.K, channels(x)/w.groups(), out)
}

func (w Window) stride() int { return max(w.Stride, 1) }
func (w Window) groups() int { return max(w.Groups, 1) }

// frame returns the padding of both axes of x [B,H,W,C], start and end, and the
// number of windows on each.
func (w Window) frame(x *Node) (pads [2][2]int, n [2]int) {
	s := w.stride()
	for i := range 2 {
		size := x.Shape().Dim(i + 1)
		start, end := w.Pad, w.Pad
		if w.Same {
			total := max((size+s-1)/s*s-s+w.K-size, 0)
			start, end = total/2, total-total/2
		}
		room := size + start + end - w.K
		if room < 0 {
			panic(fmt.Errorf("block: a window of %d on %d pixels padded by %d and %d: expected an image as large as the window", w.K, size, start, end))
		}
		n[i] = room/s + 1
		// The last window begins inside the image or the padding before it.
		if w.Ceil && room%s != 0 && n[i]*s < size+start {
			end += s - room%s
			n[i]++
		}
		pads[i] = [2]int{start, end}
	}
	return pads, n
}

// Convolve convolves x [B,H,W,C] with a frozen kernel [K,K,C/Groups,O]. Values computed
// from the kernel alone are stored under the scope s (see Once).
func (w Window) Convolve(s *model.Scope, x, kernel *Node) *Node {
	return w.frozen(s, x, kernel.Shape().Dim(3), false, func() *Node { return kernel })
}
