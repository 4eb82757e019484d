package onnx

import (
	"slices"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
)

// term is an operand of an Einsum: a node and a label for each of its axes. The axis of
// images has the label 0.
type term struct {
	x      *Node
	labels []rune
}

// einsum contracts its operands one after the other. Each label may stand once in an
// operand; an ellipsis stands for equal shapes.
func einsum(c *call) *value {
	equation := strings.ReplaceAll(c.text("equation", ""), " ", "")
	left, right, explicit := strings.Cut(equation, "->")
	operands := strings.Split(left, ",")
	if len(operands) != len(c.in) {
		c.refuse("equation", "", "%q has %d operands for %d inputs", equation, len(operands), len(c.in))
	}
	count := map[rune]int{}
	var dots []rune
	var terms []term
	size := map[rune]int{}
	for i, o := range operands {
		labels := []rune(o)
		if before, after, ok := strings.Cut(o, "..."); ok {
			n := c.rank(i) - len([]rune(before)) - len([]rune(after))
			if n < 0 {
				c.refuse("equation", "", "%q does not fit the shape %v", o, c.dims(i))
			}
			var own []rune
			for j := range n { // private labels, counted from the last axis
				own = append(own, rune(0xF0000+n-1-j))
			}
			if len(own) > len(dots) {
				dots = own
			}
			labels = slices.Concat([]rune(before), own, []rune(after))
		}
		if len(labels) != c.rank(i) {
			c.refuse("equation", "", "%q does not fit the shape %v", o, c.dims(i))
		}
		for j, l := range labels {
			if slices.Contains(labels[:j], l) {
				c.refuse("equation", "", "%q has a label twice in one operand", o)
			}
			d := c.dims(i)[j]
			if known, ok := size[l]; ok && known != d {
				c.refuse("equation", "", "label %q stands for %d and %d elements", string(l), known, d)
			}
			size[l] = d
			count[l]++
		}
		v := c.value(i)
		if v.varying {
			terms = append(terms, term{c.plain(i), append([]rune{0}, labels...)})
		} else {
			terms = append(terms, term{c.fixed(i), labels})
		}
	}
	var out []rune
	if explicit {
		before, after, _ := strings.Cut(right, "...")
		out = []rune(right)
		if strings.Contains(right, "...") {
			out = slices.Concat([]rune(before), dots, []rune(after))
		}
	} else {
		for l, n := range count {
			if n == 1 && l < 0xF0000 {
				out = append(out, l)
			}
		}
		slices.Sort(out)
		out = slices.Concat(dots, out)
	}
	for i, l := range out {
		if count[l] == 0 || slices.Contains(out[:i], l) {
			c.refuse("equation", "", "%q has a result that its operands do not make", equation)
		}
	}
	kept := append([]rune{0}, out...)
	for len(terms) > 1 {
		a, b := terms[0], terms[1]
		wanted := slices.Clone(kept)
		for _, t := range terms[2:] {
			wanted = append(wanted, t.labels...)
		}
		terms = append([]term{contract(a, b, wanted)}, terms[2:]...)
	}
	y := terms[0].reduce(kept)
	if !slices.Contains(y.labels, 0) {
		y = term{Reshape(y.x, append([]int{1}, y.x.Shape().Dimensions...)...), append([]rune{0}, y.labels...)}
	}
	order := make([]int, len(kept))
	for i, l := range kept {
		order[i] = slices.Index(y.labels, l)
	}
	return c.out(TransposeAllAxes(y.x, order...))
}

// reduce sums over the axes whose labels are not wanted.
func (t term) reduce(wanted []rune) term {
	var axes []int
	var labels []rune
	for i, l := range t.labels {
		if slices.Contains(wanted, l) {
			labels = append(labels, l)
		} else {
			axes = append(axes, i)
		}
	}
	if axes == nil {
		return t
	}
	return term{ReduceSum(t.x, axes...), labels}
}

// contract multiplies two terms and sums over the labels that are not wanted.
func contract(a, b term, wanted []rune) term {
	a, b = a.reduce(slices.Concat(wanted, b.labels)), b.reduce(slices.Concat(wanted, a.labels))
	var sumA, sumB, batchA, batchB []int
	var labels []rune
	for i, l := range a.labels {
		j := slices.Index(b.labels, l)
		if j < 0 {
			continue
		}
		if slices.Contains(wanted, l) {
			batchA, batchB, labels = append(batchA, i), append(batchB, j), append(labels, l)
		} else {
			sumA, sumB = append(sumA, i), append(sumB, j)
		}
	}
	for _, t := range []struct {
		term
		other []rune
	}{{a, b.labels}, {b, a.labels}} {
		for _, l := range t.labels {
			if !slices.Contains(t.other, l) {
				labels = append(labels, l)
			}
		}
	}
	return term{DotGeneral(a.x, sumA, batchA, b.x, sumB, batchB), labels}
}
