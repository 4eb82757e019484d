package onnx

import (
	"slices"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ensemble-metamers/metamers/metamerkit/zoo/block"
)

func init() {
	register(7, conv, nil, "Conv")
	register(7, convTranspose, nil, "ConvTranspose")
}

// What is added to the name of a kernel whose elements are in another order.
const (
	arranged = ".hwio"
	turned   = ".turned"
)

// ofKernel is the name in the file of a kernel in another order.
func ofKernel(name string) string {
	return strings.TrimSuffix(strings.TrimSuffix(name, arranged), turned)
}

// kernel reads input 1, [O,I/groups,…], as a constant of another order of axes: from
// takes the element at a position of [H,W,I,O] from [O,I,H,W].
func (c *call) kernel(axes int, suffix string, dims [4]int, from func(at [4]int) [4]int) *Node {
	t := c.value(1).host
	shape := [4]int{t.dims[0], t.dims[1], 1, t.dims[len(t.dims)-1]}
	if axes == 2 {
		shape[2] = t.dims[2]
	}
	sizeOf(dims[:])
	c.scopeName = t.name + suffix
	return c.kept(c.scopeName, t.kind, dims[:], func() *tensor {
		out := newTensor(t.kind, dims[:]...)
		i := 0
		for h := range dims[0] {
			for w := range dims[1] {
				for in := range dims[2] {
					for o := range dims[3] {
						if p := from([4]int{h, w, in, o}); p[2] >= 0 && p[3] >= 0 {
							out.copyFrom(i, t, ((p[0]*shape[1]+p[1])*shape[2]+p[2])*shape[3]+p[3])
						}
						i++
					}
				}
			}
		}
		return out
	})
}

// kernelDims is the shape of input 1, which must be a constant.
func (c *call) kernelDims() []int {
	if v := c.value(1); v.host == nil {
		c.refuse(c.inputName(1), "", "its kernel is computed from the image or by operators that are not folded, expected an initializer")
	}
	return c.dims(1)
}

func conv(c *call) *value {
	x, axes := c.spatial()
	kd := c.kernelDims()
	groups := c.int("group", 1)
	if len(kd) != axes+2 || groups < 1 || x.Shape().Dim(3) != kd[1]*groups || kd[0]%groups != 0 || sizeOf(kd) == 0 {
		c.refuse(c.inputName(1), "", "its kernel %v does not fit the input %v in %d groups", kd, c.dims(0), groups)
	}
	shape := c.list("kernel_shape")
	if shape != nil && !slices.Equal(shape, kd[2:]) {
		c.refuse("kernel_shape", "", "kernel_shape is %v, but the kernel is %v", shape, kd)
	}
	w := c.window(kd[2:], axes, [2]int{x.Shape().Dim(1), x.Shape().Dim(2)}, false)
	kernel := c.kernel(axes, arranged, [4]int{w.kernel[0], w.kernel[1], kd[1], kd[0]}, func(at [4]int) [4]int {
		return [4]int{at[3], at[2], at[0], at[1]}
	})
	return c.fromSpatial(c.bias(2, c.convolve(w, x, kernel, groups)), axes)
}

// bias adds input i, if it is there, to the channels of x [B,H,W,C].
func (c *call) bias(i int, x *Node) *Node {
	if !c.has(i) {
		return x
	}
	if d := c.dims(i); len(d) != 1 || d[0] != x.Shape().Dim(3) {
		c.refuse(c.inputName(i), "", "the bias is %v for %d channels", d, x.Shape().Dim(3))
	}
	return Add(x, Reshape(c.fixed(i), 1, 1, 1, -1))
}

// convolve is the convolution of x [B,H,W,C] with a kernel [KH,KW,C/groups,O].
func (c *call) convolve(w window, x, kernel *Node, groups int) *Node {
	if groups == 1 && w.tiles() {
		p := block.Patches(x, w.kernel[0])
		return DotGeneral(p, []int{3}, nil, Reshape(kernel, -1, kernel.Shape().Dim(3)), []int{0}, nil)
	}
	if w.square() {
		b := block.Window{K: w.kernel[0], Stride: w.strides[0], Groups: groups}
		if w.even() && w.start[0] < w.kernel[0] {
			b.Pad = w.start[0]
		} else {
			x = w.framed(x, nil)
		}
		return b.Convolve(c.root.At("%s", encoded(c.scopeName)), x, kernel)
	}
	b, in, out := x.Shape().Dim(0), kernel.Shape().Dim(2), kernel.Shape().Dim(3)
	if groups == 1 {
		// GoMLX's gradient is right for odd kernels without dilation: zeros make it so.
		kernel, w = odd(kernel, w)
		return Convolve(w.framed(x, nil), kernel).StridePerAxis(w.strides[:]...).NoPadding().Done()
	}
	x = w.framed(x, nil)
	views := w.views(x)
	if groups == in*groups && groups == out { // each channel alone
		var y *Node
		for i, v := range views {
			factor := Reshape(slice(slice(kernel, 0, i/w.kernel[1], 1, 1), 1, i%w.kernel[1], 1, 1), 1, 1, 1, out)
			if v = Mul(v, factor); y != nil {
				v = Add(y, v)
			}
			y = v
		}
		return y
	}
	// Patches [pixels,groups,K·K·C/groups] times a matrix for each group.
	for i, v := range views {
		views[i] = Reshape(v, -1, groups, in)
	}
	p := Concatenate(views, 2)
	y := DotGeneral(p, []int{2}, []int{1}, Reshape(kernel, -1, groups, out/groups), []int{0}, []int{1})
	return Reshape(TransposeAllAxes(y, 1, 0, 2), b, w.n[0], w.n[1], out)
}

// tiles says whether square windows lie side by side, without padding.
func (w window) tiles() bool {
	return w.square() && w.kernel == w.strides && w.kernel[0] > 1 && w.start == [2]int{} && w.end == [2]int{}
}

// odd is a kernel with zeros between its elements, for dilations, and behind them, up to
// an odd size, with as much more padding.
func odd(kernel *Node, w window) (*Node, window) {
	for axis := range 2 {
		kernel = stuffed(kernel, axis, w.dilations[axis])
		if kernel.Shape().Dim(axis)%2 == 0 {
			kernel = frame(kernel, nil, nil, map[int]int{axis: 1})
			w.end[axis]++
		}
	}
	return kernel, w
}

// stuffed is x with d−1 zeros between its elements on an axis.
func stuffed(x *Node, axis, d int) *Node {
	n := x.Shape().Dim(axis)
	if d == 1 || n == 1 {
		return x
	}
	dims := slices.Clone(x.Shape().Dimensions)
	x = Reshape(x, slices.Insert(slices.Clone(dims), axis+1, 1)...)
	x = frame(x, nil, nil, map[int]int{axis + 1: d - 1})
	dims[axis] = n * d
	return slice(Reshape(x, dims...), axis, 0, (n-1)*d+1, 1)
}

// convTranspose is the convolution with the kernel turned around of the input with zeros
// between its pixels.
func convTranspose(c *call) *value {
	x, axes := c.spatial()
	kd := c.kernelDims() // [I,O/groups,…]
	groups := c.int("group", 1)
	if len(kd) != axes+2 || groups < 1 || x.Shape().Dim(3) != kd[0] || kd[0]%groups != 0 || sizeOf(kd) == 0 {
		c.refuse(c.inputName(1), "", "its kernel %v does not fit the input %v in %d groups", kd, c.dims(0), groups)
	}
	if shape := c.list("kernel_shape"); shape != nil && !slices.Equal(shape, kd[2:]) {
		c.refuse("kernel_shape", "", "kernel_shape is %v, but the kernel is %v", shape, kd)
	}
	strides, dilations, extra := c.times("strides", axes, 1), c.times("dilations", axes, 1), c.times("output_padding", axes, 0)
	pads, outs := c.times("pads", 2*axes, 0), c.list("output_shape")
	mode := c.text("auto_pad", "NOTSET")
	w := window{kernel: [2]int{1, 1}, strides: [2]int{1, 1}, dilations: [2]int{1, 1}}
	for i := range axes {
		k := 2 - axes + i
		n := x.Shape().Dim(k + 1)
		const most = 1 << 12
		if min(strides[i], dilations[i]) < 1 || extra[i] < 0 || max(strides[i], dilations[i], extra[i], kd[2+i]) > most {
			c.refuse("", "", "strides %v, dilations %v, output_padding %v: expected numbers from 1 to %d", strides, dilations, extra, most)
		}
		reach := (kd[2+i]-1)*dilations[i] + 1
		full := (n-1)*strides[i] + reach + extra[i] // without padding
		start, end := pads[i], pads[axes+i]
		want := -1
		if outs != nil {
			want = outs[len(outs)-axes+i]
		} else if mode == "SAME_UPPER" || mode == "SAME_LOWER" {
			want = n * strides[i]
		}
		if want >= 0 {
			total := full - want
			if total < 0 {
				c.refuse("output_shape", "", "it is %v, expected at most %d at axis %d", outs, full, i)
			}
			if start = total / 2; mode != "SAME_UPPER" {
				start = total - total/2
			}
			end = total - start
		}
		if start < 0 || end < 0 || full-start-end < 1 {
			c.refuse("pads", "", "it is %v", pads)
		}
		x = stuffed(x, k+1, strides[i])
		w.kernel[k], w.dilations[k] = kd[2+i], dilations[i]
		w.start[k], w.end[k] = reach-1-start, reach-1-end+extra[i]
		w.n[k] = full - start - end
	}
	if !slices.Contains([]string{"NOTSET", "", "VALID", "SAME_UPPER", "SAME_LOWER"}, mode) || outs != nil && len(outs) < axes {
		c.refuse("auto_pad", "", "it is %q with output_shape %v", mode, outs)
	}
	in, out := kd[0]/groups, kd[1]
	kernel := c.kernel(axes, turned, [4]int{w.kernel[0], w.kernel[1], in, out * groups}, func(at [4]int) [4]int {
		g := at[3] / out
		return [4]int{g*in + at[2], at[3] % out, w.kernel[0] - 1 - at[0], w.kernel[1] - 1 - at[1]}
	})
	x = w.framed(x, nil)
	w.start, w.end = [2]int{}, [2]int{}
	return c.fromSpatial(c.bias(2, c.convolve(w, x, kernel, groups)), axes)
}
