package onnx

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/xslices"
)

func init() {
	register(7, batchNorm, foldBatchNorm, "BatchNormalization")
	register(7, instanceNorm, nil, "InstanceNormalization")
	register(18, groupNorm, nil, "GroupNormalization")
	register(17, func(c *call) *value { return layerNorm(c, true) }, nil, "LayerNormalization")
	register(23, func(c *call) *value { return layerNorm(c, false) }, nil, "RMSNormalization")
	register(7, lpNorm, nil, "LpNormalization")
	register(7, lrn, nil, "LRN")
	register(9, func(c *call) *value {
		axes := c.list("axes")
		if axes == nil {
			axes = []int{0, 2, 3}
		}
		x := c.plain(0)
		return c.out(normalized(x, shift(c.axes("axes", axes, c.rank(0))), 1e-9, false))
	}, nil, "MeanVarianceNormalization")
}

// normalized is x with the mean 0 and the variance 1 over axes.
func normalized(x *Node, axes []int, epsilon float64, inside bool) *Node {
	x = Sub(x, ReduceAndKeep(x, ReduceMean, axes...))
	variance := ReduceAndKeep(Square(x), ReduceMean, axes...)
	if inside {
		return Div(x, Sqrt(AddScalar(variance, epsilon)))
	}
	return Div(x, AddScalar(Sqrt(variance), epsilon))
}

// channel reads input i, one number for each channel, as factors of a node of the given
// rank with the channels at axis.
func (c *call) channel(i, channels, rank, axis int) *Node {
	if d := c.dims(i); len(d) != 1 || d[0] != channels {
		c.refuse(c.inputName(i), "", "it is %v for %d channels", d, channels)
	}
	dims := make([]int, rank)
	for a := range dims {
		dims[a] = 1
	}
	dims[axis] = channels
	return Reshape(c.fixed(i), dims...)
}

// batchSettings reads what batchNorm and foldBatchNorm have in common. Before opset 14 a node
// with more outputs than one is in training mode.
func (c *call) batchSettings() (epsilon float64, training bool) {
	c.ignore("momentum")
	training = len(c.n.Output) > 1
	if c.opset >= 14 {
		training = c.bool("training_mode", false)
	}
	if c.opset < 9 && !c.bool("spatial", true) {
		c.refuse("spatial", "", "it is 0, expected 1")
	}
	if c.rank(0) < 2 {
		c.refuse("", "", "its input has the shape %v, expected [N,C,…]", c.dims(0))
	}
	epsilon = c.float("epsilon", 1e-5)
	if v := c.value(4).host; v != nil && !training {
		for i := range v.size() {
			if x := v.float(i); !(x >= 0) || math.IsInf(x, 1) {
				c.refuse(c.inputName(4), "train again, or export again from a checkpoint before the training diverged", "it holds the variance %v", x)
			}
		}
	}
	return epsilon, training
}

func batchNorm(c *call) *value {
	epsilon, training := c.batchSettings()
	if training {
		c.refuse("training_mode", hintEval, "it is 1: the node normalises by the statistics of its batch")
	}
	channels := c.dims(0)[1]
	l := c.along(0, 1)
	factor := func(i int) *Node { return c.channel(i, channels, l.x.Rank(), l.axis(1)) }
	scale, shift, mean, variance := factor(1), factor(2), factor(3), factor(4)
	scale = Div(scale, Sqrt(AddScalar(variance, epsilon)))
	return l.wrap(Add(Mul(l.x, scale), Sub(shift, Mul(mean, scale))))
}

// foldBatchNorm normalises constants. In training mode these are weights that the model
// standardises.
func foldBatchNorm(c *call) *tensor {
	epsilon, training := c.batchSettings()
	x := c.host(0)
	channels, inner := x.dims[1], sizeOf(x.dims[2:])
	if x.size() == 0 {
		c.refuse("", "", "its input has the shape %v", x.dims)
	}
	var factors [4]*tensor
	for i := range factors {
		if factors[i] = c.host(i + 1); factors[i].size() != channels {
			c.refuse(c.inputName(i+1), "", "it is %v for %d channels", factors[i].dims, channels)
		}
	}
	out := newTensor(x.kind, x.dims...)
	for k := range channels {
		each := func(f func(i int)) {
			for n := range x.dims[0] {
				for j := range inner {
					f((n*channels+k)*inner + j)
				}
			}
		}
		mean, variance := factors[2].float(k), factors[3].float(k)
		if training {
			count := float64(x.dims[0] * inner)
			mean, variance = 0, 0
			each(func(i int) { mean += x.float(i) / count })
			each(func(i int) { variance += math.Pow(x.float(i)-mean, 2) / count })
		}
		scale := factors[0].float(k) / math.Sqrt(variance+epsilon)
		each(func(i int) { out.setFloat(i, (x.float(i)-mean)*scale+factors[1].float(k)) })
	}
	return out
}

func instanceNorm(c *call) *value {
	epsilon := c.float("epsilon", 1e-5)
	rank := c.rank(0)
	if rank < 3 {
		c.refuse("", "", "its input has the shape %v, expected [N,C,…]", c.dims(0))
	}
	axes := xslices.Iota(2, rank-2)
	l := c.along(0, append(axes, 1)...)
	channels := c.dims(0)[1]
	y := normalized(l.x, l.axes(axes), epsilon, true)
	scale, bias := c.channel(1, channels, y.Rank(), l.axis(1)), c.channel(2, channels, y.Rank(), l.axis(1))
	return l.wrap(Add(Mul(y, scale), bias))
}

func groupNorm(c *call) *value {
	epsilon, groups := c.float("epsilon", 1e-5), c.int("num_groups", 0)
	if c.opset >= 21 {
		c.ignore("stash_type") // the type of the mean, float32 in any case that is let through
	}
	dims := c.dims(0)
	if len(dims) < 3 || groups < 1 || dims[1]%groups != 0 {
		c.refuse("num_groups", "", "%d groups of the shape %v", groups, dims)
	}
	x := c.plain(0)
	images, n := x.Shape().Dim(0), dims[0]
	y := normalized(Reshape(x, images*n, groups, -1), []int{2}, epsilon, true)
	count := dims[1]
	if c.opset < 21 { // one factor for each group
		count = groups
	}
	y = Reshape(y, images*n, count, -1)
	return c.out(Reshape(Add(Mul(y, c.channel(1, count, 3, 1)), c.channel(2, count, 3, 1)), x.Shape().Dimensions...))
}

// layerNorm normalises all axes from one on; centred also subtracts the mean.
func layerNorm(c *call, centred bool) *value {
	epsilon := c.float("epsilon", 1e-5)
	if s := c.int("stash_type", 1); s != 1 {
		c.refuse("stash_type", "", "it is %d, expected 1 (float32)", s)
	}
	rank := c.rank(0)
	first := c.axis("axis", c.int("axis", -1), rank)
	axes := xslices.Iota(first+1, rank-first)
	x := c.plain(0)
	var y *Node
	if centred {
		y = normalized(x, axes, epsilon, true)
	} else {
		y = Div(x, Sqrt(AddScalar(ReduceAndKeep(Square(x), ReduceMean, axes...), epsilon)))
	}
	factor := func(i int) *Node {
		d := c.dims(i)
		if len(d) > rank || len(c.broadcastDims(c.dims(0)[first:], d)) > rank-first {
			c.refuse(c.inputName(i), "", "it is %v for the shape %v", d, c.dims(0)[first:])
		}
		return Reshape(c.fixed(i), leading(d, rank+1)...)
	}
	y = Mul(y, factor(1))
	if centred && c.has(2) {
		y = Add(y, factor(2))
	}
	return c.out(y)
}

func lpNorm(c *call) *value {
	p := c.int("p", 2)
	axis := c.axis("axis", c.int("axis", -1), c.rank(0))
	l := c.along(0, axis)
	sum := ReduceAndKeep(c.power(l.x, p), ReduceSum, l.axis(axis))
	sum = Where(Equal(sum, ZerosLike(sum)), OnesLike(sum), sum) // nothing stays nothing
	return l.wrap(Div(l.x, c.rooted(sum, p)))
}

// lrn divides by a power of the mean square of neighbouring channels.
func lrn(c *call) *value {
	alpha, beta, bias, size := c.float("alpha", 1e-4), c.float("beta", 0.75), c.float("bias", 1), c.int("size", 0)
	if c.rank(0) < 3 || size < 1 || size > maxElements {
		c.refuse("size", "", "it is %d for the shape %v", size, c.dims(0))
	}
	n := c.dims(0)[1]
	c.spend(sizeOf([]int{n, n}))
	m := newTensor(c.in[0].kind, n, n)
	for i := range n {
		for j := max(0, i-(size-1)/2); j <= min(n-1, i+size/2); j++ {
			m.setFloat(i*n+j, alpha/float64(size))
		}
	}
	l := c.along(0, 1)
	base := AddScalar(byMatrix(Square(l.x), l.axis(1), m), bias)
	return l.wrap(Mul(l.x, Exp(MulScalar(Log(base), -beta))))
}
