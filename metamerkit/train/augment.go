package train

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// augment cuts the step's images out of all images [N,S,S,3] (uint8): shifted by up
// to crop pixels with zeros behind the edges, mirrored where flip is 1, with a grey
// square of side cutout around cut, and mixed with the batch in reverse. It returns
// images [B,S,S,3] in [0,1] and target probabilities [B,classes].
func augment(o Options, all, label, index, shift, flip, cut, mix *Node, classes int) (x, target *Node) {
	g := all.Graph()
	b, s := index.Shape().Dim(0), all.Shape().Dim(1)
	x = ConvertDType(Gather(all, InsertAxes(index, -1)), dtypes.Float32) // [B,S,S,3], 0 to 255
	crop := max(o.Crop, 0)
	if crop > 0 || !o.NoFlip {
		// Rows and columns are chosen by matrices of zeros and ones, exact for 8 bits in
		// every precision that a device multiplies in.
		rows := choose(Slice(shift, AxisRange(), AxisElem(0)), nil, s, crop) // [B,S,S]
		cols := choose(Slice(shift, AxisRange(), AxisElem(1)), flip, s, crop)
		x = DotGeneral(rows, []int{2}, []int{0}, x, []int{1}, []int{0}) // [B,S',S,3]
		x = DotGeneral(cols, []int{2}, []int{0}, x, []int{2}, []int{0}) // [B,S”,S',3]
		x = TransposeAllAxes(x, 0, 2, 1, 3)
	}
	x = MulScalar(x, 1.0/255)
	if o.Cutout > 0 {
		near := func(axis int) *Node { // [B,S]: within half a side of the centre
			at := Iota(g, shapes.Make(dtypes.Float32, b, s), 1)
			c := ConvertDType(Slice(cut, AxisRange(), AxisElem(axis)), dtypes.Float32)
			d := Sub(at, c) // from -cutout/2 up to cutout/2
			half := o.Cutout / 2
			return ConvertDType(LogicalAnd(GreaterOrEqual(d, Scalar(g, dtypes.Float32, -half)), LessThan(d, Scalar(g, dtypes.Float32, o.Cutout-half))), dtypes.Float32)
		}
		hole := Mul(InsertAxes(near(0), -1), InsertAxes(near(1), 1)) // [B,S,S]
		hole = InsertAxes(hole, -1)
		x = Add(Mul(x, OneMinus(hole)), MulScalar(hole, 0.5))
	}
	y := Gather(label, InsertAxes(index, -1))   // [B]
	target = OneHot(y, classes, dtypes.Float32) // [B,classes]
	if o.Mixup > 0 {
		x = Add(Mul(x, mix), Mul(Reverse(x, 0), OneMinus(mix)))
		target = Add(Mul(target, mix), Mul(Reverse(target, 0), OneMinus(mix)))
	}
	if o.Smoothing > 0 {
		target = AddScalar(MulScalar(target, 1-o.Smoothing), o.Smoothing/float64(classes))
	}
	return x, target
}

// choose is a matrix a image [B,S,S] that takes row i+shift-crop as row i, or, where
// flip [B] is 1, as row S-1-i; rows from outside are zeros.
func choose(shift, flip *Node, s, crop int) *Node {
	g, b := shift.Graph(), shift.Shape().Dim(0)
	to := Iota(g, shapes.Make(dtypes.Float32, b, s), 1)
	if flip != nil {
		f := Reshape(flip, b, 1)
		to = Add(Mul(to, OneMinus(f)), Mul(AddScalar(Neg(to), float64(s-1)), f))
	}
	from := AddScalar(Add(to, ConvertDType(Reshape(shift, b, 1), dtypes.Float32)), float64(-crop)) // [B,S]
	at := Iota(g, shapes.Make(dtypes.Float32, b, s, s), 2)
	from = BroadcastToDims(InsertAxes(from, -1), b, s, s)
	return ConvertDType(Equal(at, from), dtypes.Float32)
}
