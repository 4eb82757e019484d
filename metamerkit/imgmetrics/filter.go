package imgmetrics

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
)

// Convolutions are written as weighted sums of shifted views, an axis at a time:
// borders are then what each original has, float64 works, and the pure-Go backend
// needs no convolution (docs/notes/upstream.md).

// border says what lies outside an image.
type border int

const (
	valid     border = iota // nothing: the result is smaller
	zeros                   // 0 (filter2 'same')
	replicate               // the last pixel (imfilter 'replicate')
	mirror                  // the image mirrored about its last pixel (OpenCV's BORDER_REFLECT_101)
)

// along cuts [from,to) out of one axis.
func along(x *Node, axis, from, to int) *Node { return SliceAxis(x, axis, AxisRange(from, to)) }

// extend adds n pixels at both ends of an axis.
func extend(x *Node, axis, n int, b border) *Node {
	if b == valid || n == 0 {
		return x
	}
	d := x.Shape().Dim(axis)
	var before, after []*Node
	for i := range n {
		switch b {
		case zeros:
			z := ZerosLike(along(x, axis, 0, 1))
			before, after = append(before, z), append(after, z)
		case replicate:
			before, after = append(before, along(x, axis, 0, 1)), append(after, along(x, axis, d-1, d))
		case mirror: // an axis of one pixel has only that one to mirror
			k := min(n-i, d-1)
			before = append(before, along(x, axis, k, k+1))
			k = max(d-2-i, 0)
			after = append(after, along(x, axis, k, k+1))
		}
	}
	return Concatenate(append(append(before, x), after...), axis)
}

// filter correlates one axis with an odd number of weights.
func filter(x *Node, axis int, weights []float64, b border) *Node {
	n := len(weights) / 2
	x = extend(x, axis, n, b)
	out := x.Shape().Dim(axis) - 2*n
	var sum *Node
	for i, w := range weights {
		if w == 0 {
			continue
		}
		v := MulScalar(along(x, axis, i, i+out), w)
		if sum == nil {
			sum = v
		} else {
			sum = Add(sum, v)
		}
	}
	return sum
}

// filter2 correlates both axes of [B,H,W] with the same weights.
func filter2(x *Node, weights []float64, b border) *Node {
	return filter(filter(x, 1, weights, b), 2, weights, b)
}

// together is filter2 of several images of one shape as one batch: XLA compiles one
// filter in place of many.
func together(weights []float64, b border, images ...*Node) []*Node {
	n := images[0].Shape().Dim(0)
	all := filter2(Concatenate(images, 0), weights, b)
	out := make([]*Node, len(images))
	for i := range out {
		out[i] = along(all, 0, i*n, (i+1)*n)
	}
	return out
}

// gaussian is one axis of MATLAB's fspecial('gaussian', size, sigma).
func gaussian(size int, sigma float64) []float64 {
	w, sum := make([]float64, size), 0.0
	for i := range w {
		t := float64(i) - float64(size-1)/2
		w[i] = math.Exp(-t * t / (2 * sigma * sigma))
		sum += w[i]
	}
	for i := range w {
		w[i] /= sum
	}
	return w
}

// halve resizes both axes of [B,H,W] by one half as MATLAB's imresize(x, 0.5)
// does: antialiased bicubic, mirrored borders; odd sizes round up.
func halve(x *Node) *Node {
	g := x.Graph()
	x = DotGeneral(Const(g, halving(x.Shape().Dim(1))), []int{1}, nil, x, []int{1}, nil) // [H',B,W]
	x = DotGeneral(Const(g, halving(x.Shape().Dim(2))), []int{1}, nil, x, []int{2}, nil) // [W',H',B]
	return TransposeAllAxes(x, 2, 1, 0)
}

// halving is the matrix [⌈n/2⌉,n] of one axis.
func halving(n int) [][]float64 {
	out := make([][]float64, (n+1)/2)
	for i := range out {
		out[i] = make([]float64, n)
		centre := 2*(float64(i)+0.5) - 0.5 // in pixels of the source
		sum := 0.0
		first := int(math.Floor(centre - 4))
		for j := first; j <= first+10; j++ {
			sum += cubic((centre - float64(j)) / 2)
		}
		for j := first; j <= first+10; j++ {
			out[i][mirrored(j, n)] += cubic((centre-float64(j))/2) / sum
		}
	}
	return out
}

// mirrored brings an index into [0,n): the image and its mirror image in turn, the
// pixels at the border twice.
func mirrored(j, n int) int {
	j = ((j % (2 * n)) + 2*n) % (2 * n)
	if j >= n {
		j = 2*n - 1 - j
	}
	return j
}

// cubic is Keys' kernel with a = -1/2.
func cubic(t float64) float64 {
	switch t = math.Abs(t); {
	case t < 1:
		return (1.5*t-2.5)*t*t + 1
	case t < 2:
		return ((-0.5*t+2.5)*t-4)*t + 2
	}
	return 0
}
