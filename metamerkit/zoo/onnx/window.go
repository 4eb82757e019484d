package onnx

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// span is the geometry of a convolution or pool along one axis.
type span struct {
	kernel, stride, dilation int
	start, end               int // padding
	n                        int // how many windows there are
	ceil                     int // elements behind the padding that the last window reaches
}

// window is the geometry of a convolution or pool of two axes.
type window struct {
	kernel, strides, dilations [2]int
	start, end                 [2]int // padding of each axis
	n                          [2]int // how many windows there are
	ceil                       [2]int // rows and columns behind the padding that the last window reaches
}

// spatial brings input 0 to [images·N,H,W,C]; that of one axis, [N,C,L], gets an H of 1.
func (c *call) spatial() (x *Node, axes int) {
	v := c.value(0)
	switch {
	case !v.kind.IsFloat():
		c.refuse("", "", "its input is %v, expected a floating type", v.kind)
	case len(v.dims) == 3:
		p := c.plain(0)
		return Reshape(TransposeAllAxes(p, 0, 1, 3, 2), p.Shape().Dim(0)*v.dims[0], 1, v.dims[2], v.dims[1]), 1
	case len(v.dims) == 4 && v.varying:
		return c.channelsLast(v), 2
	case len(v.dims) == 4:
		p := c.plain(0)
		return TransposeAllAxes(Reshape(p, v.dims...), 0, 2, 3, 1), 2
	}
	c.refuse("", "", "its input has the shape %v, expected [N,C,H,W] or [N,C,L]", v.dims)
	return nil, 0
}

// fromSpatial is the value of a node [images·N,H,W,C], with the axes that the input had.
func (c *call) fromSpatial(x *Node, axes int) *value {
	s := x.Shape().Dimensions
	n := c.dims(0)[0]
	if axes == 2 && c.in[0].varying {
		return c.imagesValue(x)
	}
	x = TransposeAllAxes(x, 0, 3, 1, 2)
	if axes == 1 {
		return c.out(Reshape(x, s[0]/n, n, s[3], s[2]))
	}
	return c.out(Reshape(x, s[0]/n, n, s[3], s[1], s[2]))
}

// window reads the geometry for a kernel and an input of h×w.
func (c *call) window(kernel []int, axes int, size [2]int, ceil bool) (w window) {
	list := c.spans(kernel, size[2-axes:], ceil)
	if axes == 1 {
		list = []span{{kernel: 1, stride: 1, dilation: 1, n: size[0]}, list[0]}
	}
	for k, s := range list {
		w.kernel[k], w.strides[k], w.dilations[k] = s.kernel, s.stride, s.dilation
		w.start[k], w.end[k], w.n[k], w.ceil[k] = s.start, s.end, s.n, s.ceil
	}
	return w
}

// span is the geometry along one of the two axes.
func (w window) span(k int) span {
	return span{w.kernel[k], w.strides[k], w.dilations[k], w.start[k], w.end[k], w.n[k], w.ceil[k]}
}

// spans reads the geometry for a kernel and an input of so many elements along each axis.
func (c *call) spans(kernel, size []int, ceil bool) []span {
	axes := len(size)
	if len(kernel) != axes {
		c.refuse("kernel_shape", "", "it is %v for %d axes", kernel, axes)
	}
	strides, dilations := c.times("strides", axes, 1), c.times("dilations", axes, 1)
	mode := c.text("auto_pad", "NOTSET")
	var pads []int
	if mode == "NOTSET" || mode == "" {
		pads = c.times("pads", 2*axes, 0)
	} else {
		c.ignore("pads")
	}
	list := make([]span, axes)
	for i := range list {
		s := span{kernel: kernel[i], stride: strides[i], dilation: dilations[i]}
		const most = 1 << 14
		if min(s.kernel, s.stride, s.dilation) < 1 || max(s.kernel, s.stride, s.dilation) > most || (s.kernel-1)*s.dilation > most {
			c.refuse("", "", "kernel %v, strides %v, dilations %v: expected numbers from 1 to %d", kernel, strides, dilations, most)
		}
		reach := (s.kernel-1)*s.dilation + 1
		switch mode {
		case "", "NOTSET":
			s.start, s.end = pads[i], pads[axes+i]
			if min(s.start, s.end) < 0 || max(s.start, s.end) > most {
				c.refuse("pads", "", "it is %v, expected numbers from 0 to %d", pads, most)
			}
		case "VALID":
		case "SAME_UPPER", "SAME_LOWER":
			total := max(((size[i]+s.stride-1)/s.stride-1)*s.stride+reach-size[i], 0)
			s.start, s.end = total/2, total-total/2
			if mode == "SAME_LOWER" {
				s.start, s.end = s.end, s.start
			}
		default:
			c.refuse("auto_pad", "", "it is %q, expected NOTSET, VALID, SAME_UPPER or SAME_LOWER", mode)
		}
		room := size[i] + s.start + s.end - reach
		if room < 0 {
			c.refuse("", "", "a window of %d on %d pixels padded by %d and %d", reach, size[i], s.start, s.end)
		}
		s.n = room/s.stride + 1
		// The last window begins inside the image or the padding before it.
		if ceil && room%s.stride != 0 && s.n*s.stride < size[i]+s.start {
			s.ceil = s.stride - room%s.stride
			s.n++
		}
		list[i] = s
	}
	return list
}

// square says whether package block has the window: the same on both axes, without
// dilation. Padding is done before.
func (w window) square() bool {
	return w.kernel[0] == w.kernel[1] && w.strides[0] == w.strides[1] && w.dilations == [2]int{1, 1}
}

// even says whether the padding is the same on all sides.
func (w window) even() bool {
	return w.start[0] == w.start[1] && w.start == w.end
}

// framed is x [B,H,W,C] with the padding around it, and what ceil adds.
func (w window) framed(x, with *Node) *Node {
	return frame(x, with, map[int]int{1: w.start[0], 2: w.start[1]}, map[int]int{1: w.end[0] + w.ceil[0], 2: w.end[1] + w.ceil[1]})
}

// views are what each element of the window sees of a framed x, row by row.
func (w window) views(x *Node) (out []*Node) {
	if w.kernel[0]*w.kernel[1] > 1024 {
		panic("onnx: a window has more than 1024 elements")
	}
	for i := range w.kernel[0] {
		rows := slice(x, 1, i*w.dilations[0], w.n[0], w.strides[0])
		for j := range w.kernel[1] {
			out = append(out, slice(rows, 2, j*w.dilations[1], w.n[1], w.strides[1]))
		}
	}
	return out
}
