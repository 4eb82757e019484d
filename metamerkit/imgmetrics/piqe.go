package imgmetrics

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// PIQE's constants (Venkatanath et al. 2015).
const (
	piqeBlock    = 16
	piqeSegment  = 6   // pixels of an edge segment
	piqeActive   = 0.1 // variance above which a block counts
	piqeImpaired = 0.1 // deviation below which an edge segment is an artefact
)

// PIQE is the perception-based image quality evaluator (Venkatanath et al. 2015), 0 to 100,
// without a trained model. Where the paper leaves details open it follows MATLAB's piqe:
// levels are scaled so that the brightest is 255, images whose sides are not multiples of
// 16 are mirrored at the right and bottom, and the "centre" of a block is its columns 8 and
// 9, its "surround" the block without columns 8 and 10. An image without active blocks,
// such as a constant one, has the worst value, 100.
func PIQE() Metric {
	return Metric{
		Name: "piqe", Title: "PIQE", Better: Lower, Noise: Rises, Blur: Rises, JPEG: Rises,
		Cite:    "Venkatanath et al. 2015, Blind Image Quality Evaluation Using Perception Based Features, NCC",
		Agrees:  "pyiqa (piqe)",
		Defined: atLeast(piqeBlock, "a block has %d×%d"),
		Stats:   piqeStats,
		Value: func(s []float64, h, w int) Value {
			return Value{V: 100 * (s[0] + 1) / (s[1] + 1)}
		},
	}
}

// piqeStats gives the sum of the blocks' distortions and how many are active.
func piqeStats(f *Frame) *Node {
	y := mscn(pad16(pad16(scaled(f.Grey()), 1), 2), replicate)

	d := y.Shape().Dimensions
	b, rows, cols := d[0], d[1]/piqeBlock, d[2]/piqeBlock
	n := rows * cols
	x := Reshape(TransposeAllAxes(Reshape(y, b, rows, piqeBlock, cols, piqeBlock), 0, 1, 3, 2, 4), b, n, piqeBlock, piqeBlock)
	zero := ZerosLike(ReduceSum(x, 2, 3)) // [B,n]
	one := OnesLike(zero)

	v := sampleVariance(Reshape(x, b, n, piqeBlock*piqeBlock))
	active := GreaterThan(v, MulScalar(one, piqeActive))

	// Some segment of an edge is flat.
	last := piqeBlock - 1
	var edges, segments []*Node
	for _, edge := range []*Node{along(x, 2, 0, 1), along(x, 2, last, last+1), along(x, 3, 0, 1), along(x, 3, last, last+1)} {
		edges = append(edges, Reshape(edge, b, n, piqeBlock))
	}
	edge := Stack(edges, 2) // [B,n,4,16]
	for i := range piqeBlock - piqeSegment + 1 {
		segments = append(segments, along(edge, 3, i, i+piqeSegment))
	}
	segment := Stack(segments, 3) // [B,n,4,11,6]
	deviation := Reshape(Sqrt(sampleVariance(segment)), b, n, -1)
	impaired := LessThan(ReduceMin(deviation, 2), MulScalar(one, piqeImpaired))

	flatten := func(x *Node) *Node { return Reshape(x, b, n, -1) }
	centre := Sqrt(sampleVariance(flatten(along(x, 3, 7, 9))))
	surround := Sqrt(sampleVariance(flatten(Concatenate([]*Node{along(x, 3, 0, 7), along(x, 3, 8, 9), along(x, 3, 10, 16)}, 3))))
	none := LessOrEqual(surround, zero)
	ratio := Div(centre, Where(none, one, surround))
	ratio = Where(none, Where(GreaterThan(centre, zero), MulScalar(one, 1e30), zero), ratio)
	sigma := Sqrt(v)
	larger := Max(sigma, ratio)
	beta := Div(Abs(Sub(sigma, ratio)), Where(GreaterThan(larger, zero), larger, one))
	noisy := GreaterThan(sigma, MulScalar(beta, 2))

	score := Add(Where(impaired, OneMinus(v), zero), Where(noisy, v, zero))
	return columns(ReduceSum(Where(active, score, zero), 1), ReduceSum(Where(active, one, zero), 1))
}

// scaled is 255·y/(the image's largest y), rounded, halves up: whole numbers above and
// below the bar, and half of one to spare, so that it is exact where a backend's
// division is not.
func scaled(y *Node) *Node {
	top := MaxScalar(ReduceAndKeep(y, ReduceMax, 1, 2), 1)
	return Floor(Div(AddScalar(Add(MulScalar(y, 510), top), 0.5), MulScalar(top, 2)))
}

// pad16 mirrors an axis at its end up to the next multiple of 16.
func pad16(x *Node, axis int) *Node {
	n := x.Shape().Dim(axis)
	parts := []*Node{x}
	for i := n; i%piqeBlock != 0; i++ {
		k := mirrored(i, n)
		parts = append(parts, along(x, axis, k, k+1))
	}
	if len(parts) == 1 {
		return x
	}
	return Concatenate(parts, axis)
}

// sampleVariance is over the last axis of k, with k−1.
func sampleVariance(x *Node) *Node {
	axis := x.Rank() - 1
	d := Sub(x, ReduceAndKeep(x, ReduceMean, axis))
	return DivScalar(ReduceSum(Square(d), axis), float64(x.Shape().Dim(axis)-1))
}
