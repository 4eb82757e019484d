package imgmetrics

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Frame is a batch of images in a graph, with reference images if there are any.
// Intermediate results that several metrics use are built once.
type Frame struct {
	Images    *Node // [B,H,W,3] float32 in [0,1]
	Reference *Node // likewise, nil without references
	B, H, W   int

	memo  map[string]*Node
	scope *model.Scope // of the weights of the metric being drawn, nil if it has none
}

func newFrame(images, reference *Node) *Frame {
	d := images.Shape().Dimensions
	return &Frame{Images: images, Reference: reference, B: d[0], H: d[1], W: d[2], memo: map[string]*Node{}}
}

func (f *Frame) once(key string, draw func() *Node) *Node {
	if n, ok := f.memo[key]; ok {
		return n
	}
	n := draw()
	f.memo[key] = n
	return n
}

// Luma weights of ITU-R BT.601, which rgb2gray of MATLAB, PIL's L, OpenCV and the
// original quality metrics use.
const lumaR, lumaG, lumaB = 0.299, 0.587, 0.114

// RGB returns the images as [B,H,W,3] float64 in [0,1].
func (f *Frame) RGB() *Node {
	return f.once("rgb", func() *Node { return ConvertDType(f.Images, dtypes.Float64) })
}

// Levels returns the images rounded to 8 bits, [B,H,W,3] float64 in 0 to 255, as a PNG
// stores them.
func (f *Frame) Levels() *Node {
	return f.once("levels", func() *Node { return roundUp(MulScalar(f.RGB(), 255)) })
}

// Luma returns the luma of the images, [B,H,W] float64 in 0 to 255.
func (f *Frame) Luma() *Node {
	return f.once("luma", func() *Node { return luma(f.RGB()) })
}

// ReferenceLuma returns the luma of the references, [B,H,W] float64 in 0 to 255.
func (f *Frame) ReferenceLuma() *Node {
	return f.once("reference luma", func() *Node { return luma(ConvertDType(f.Reference, dtypes.Float64)) })
}

// Grey returns the luma of Levels rounded to 8 bits, [B,H,W] float64 in 0 to 255, as
// MATLAB's rgb2gray gives it for an 8-bit image. Pixels in memory and the PNG written from
// them give the same values.
func (f *Frame) Grey() *Node {
	return f.once("grey", func() *Node {
		// Halves round up: whole numbers until the division, and half of one to spare,
		// for XLA multiplies by 1/1000.
		q := f.Levels()
		sum := Add(Add(MulScalar(channel(q, 0), 299), MulScalar(channel(q, 1), 587)), MulScalar(channel(q, 2), 114))
		return Floor(DivScalar(AddScalar(sum, 500.5), 1000))
	})
}

func luma(rgb *Node) *Node {
	y := Add(Add(MulScalar(channel(rgb, 0), lumaR), MulScalar(channel(rgb, 1), lumaG)), MulScalar(channel(rgb, 2), lumaB))
	return MulScalar(y, 255)
}

// channel is [B,H,W,3] → [B,H,W].
func channel(x *Node, c int) *Node {
	d := x.Shape().Dimensions
	return Reshape(Slice(x, AxisRange(), AxisRange(), AxisRange(), AxisRange(c, c+1)), d[0], d[1], d[2])
}

// roundUp rounds to whole numbers, halves up, as MATLAB does for positive ones.
func roundUp(x *Node) *Node { return Floor(AddScalar(x, 0.5)) }

// columns makes [B,K] of K nodes [B].
func columns(nodes ...*Node) *Node {
	for i, n := range nodes {
		nodes[i] = Reshape(n, n.Shape().Dim(0), 1)
	}
	if len(nodes) == 1 {
		return nodes[0]
	}
	return Concatenate(nodes, 1)
}

// mean and variance (of the population) over all axes but the first.
func mean(x *Node) *Node { return ReduceMean(Reshape(x, x.Shape().Dim(0), -1), 1) }

func variance(x *Node) *Node {
	x = Reshape(x, x.Shape().Dim(0), -1)
	d := Sub(x, ReduceAndKeep(x, ReduceMean, 1))
	return ReduceMean(Square(d), 1)
}
