package onednn

import (
	"slices"
	"strings"
)

// convolution is a call for a convolution, "" if oneDNN is not to compute it. A convolution
// with a reversed kernel is a gradient, which oneDNN computes as a deconvolution with the
// kernel as it was: then nothing need be reversed, nor zeros put between rows.
func convolution(o operation, reversed map[string]string) string {
	if len(o.shapes) != 3 || len(o.shapes[0].dims) != 4 || strings.Contains(o.text("window_reversal"), "true") {
		return ""
	}
	groups, stride, pad, spread := o.numbers("feature_group_count"), o.numbers("window_strides"), o.numbers("padding"), o.numbers("lhs_dilation")
	if len(groups) != 1 || len(stride) != 2 || len(pad) != 4 || len(spread) != 2 || !slices.Equal(o.numbers("batch_group_count"), []int{1}) || !slices.Equal(o.numbers("rhs_dilation"), []int{1, 1}) {
		return ""
	}
	form := groups[0]
	switch {
	case strings.Contains(o.attributes, "<[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]>"):
	case strings.Contains(o.attributes, "<[b, 0, 1, f]x[0, 1, o, i]->[b, 0, 1, f]>") && form == 1:
		form = -1
	default:
		return ""
	}
	numbers := append([]int{0}, append(stride, pad...)...)
	kernel, ok := reversed[o.operands[1]]
	if ok && groups[0] == 1 && slices.Equal(stride, []int{1, 1}) {
		k := o.shapes[1].dims
		o.operands = []string{o.operands[0], kernel}
		numbers = []int{1, spread[0], spread[1], k[0] - 1 - pad[0], k[0] - 1 - pad[1], k[1] - 1 - pad[2], k[1] - 1 - pad[3]}
	} else if !slices.Equal(spread, []int{1, 1}) {
		return ""
	}
	if slices.Min(numbers) < 0 || max(numbers[3], numbers[4]) >= o.shapes[1].dims[0] || max(numbers[5], numbers[6]) >= o.shapes[1].dims[1] {
		return ""
	}
	return o.call("convolve", append(numbers, form))
}

// product is a call for a product of two factors, "" if oneDNN is not to compute it.
func product(o operation) string {
	if len(o.shapes) != 3 {
		return ""
	}
	a, b := axesOf(o.shapes[0].dims), axesOf(o.shapes[1].dims)
	stackA, stackB := o.numbers("lhs_batching_dimensions"), o.numbers("rhs_batching_dimensions")
	sumA, sumB := o.numbers("lhs_contracting_dimensions"), o.numbers("rhs_contracting_dimensions")
	if len(stackA) > 2 || len(sumA) == 0 {
		return ""
	}
	m, ok1 := a.as1(a.others(stackA, sumA))
	n, ok2 := b.as1(b.others(stackB, sumB))
	k, ok3 := a.as1(sumA)
	k2, ok4 := b.as1(sumB)
	if !ok1 || !ok2 || !ok3 || !ok4 || min(m.step, k.step) != 1 || min(n.step, k2.step) != 1 || min(m.size, n.size) < 16 {
		return ""
	}
	stacks := make([]axis, 4) // of a, then of b
	for i := range stacks {
		stacks[i].size = 1
	}
	for i := range stackA {
		at := 2 - len(stackA) + i
		stacks[at], stacks[2+at] = a[stackA[i]], b[stackB[i]]
	}
	return o.call("multiply", []int{stacks[0].size, stacks[1].size, m.size, n.size, k.size,
		stacks[0].step, stacks[1].step, m.step, k.step, stacks[2].step, stacks[3].step, k2.step, n.step})
}

// An axis has a size, and a step from each element to the next.
type axis struct{ size, step int }

type axes []axis

func axesOf(dims []int) axes {
	out, step := make(axes, len(dims)), 1
	for i := len(dims) - 1; i >= 0; i-- {
		out[i] = axis{dims[i], step}
		step *= dims[i]
	}
	return out
}

// others are the axes that are in neither list.
func (x axes) others(a, b []int) (out []int) {
	for i := range x {
		if !slices.Contains(a, i) && !slices.Contains(b, i) {
			out = append(out, i)
		}
	}
	return out
}

// as1 is several axes as one, the last of them the fastest, if they can be.
func (x axes) as1(which []int) (one axis, ok bool) {
	one = axis{1, 1}
	for _, i := range slices.Backward(which) {
		switch {
		case x[i].size == 1:
		case one.size == 1:
			one = x[i]
		case x[i].step == one.step*one.size:
			one.size *= x[i].size
		default:
			return one, false
		}
	}
	return one, true
}
