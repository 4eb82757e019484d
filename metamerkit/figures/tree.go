package figures

import (
	"fmt"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
)

// tree is a hierarchy of clusters, drawn beside rows in the order of its leaves.
type tree struct {
	merges []evaluate.Merge
	order  []int
	unit   string // of its heights
}

func newTree(distances [][]float64, unit string) *tree {
	merges := evaluate.Linkage(distances)
	return &tree{merges, evaluate.Leaves(merges), unit}
}

// ordered are sets in the order of the leaves.
func (t *tree) ordered(sets [][]string) (out [][]string) {
	for _, i := range t.order {
		out = append(out, sets[i])
	}
	return out
}

// draw draws the tree from x to the right, its leaves at the middles of rows of a height below
// top, its root at x + width less a margin; and below it the axis of its heights.
func (t *tree) draw(c draw.Canvas, x, top, row, width vg.Length) {
	n := len(t.order)
	last := t.merges[len(t.merges)-1].Height
	at := func(h float64) vg.Length {
		if last <= 0 {
			return x
		}
		return x + vg.Length(h/last)*(width-6)
	}
	ys, hs := make([]vg.Length, n, 2*n-1), make([]float64, n, 2*n-1)
	for k, i := range t.order {
		ys[i] = top - (vg.Length(k)+0.5)*row
	}
	st := draw.LineStyle{Color: ink, Width: 0.8}
	for _, m := range t.merges {
		right := at(m.Height)
		c.StrokeLines(st, []vg.Point{{X: at(hs[m.A]), Y: ys[m.A]}, {X: right, Y: ys[m.A]}, {X: right, Y: ys[m.B]}, {X: at(hs[m.B]), Y: ys[m.B]}})
		ys, hs = append(ys, (ys[m.A]+ys[m.B])/2), append(hs, m.Height)
	}
	c.StrokeLine2(st, at(last), ys[len(ys)-1], at(last)+5, ys[len(ys)-1])
	bottom := top - vg.Length(n)*row - 4
	c.StrokeLine2(draw.LineStyle{Color: axisInk, Width: 0.5}, x, bottom, at(last), bottom)
	tick := style(fontSmall-1, false, axisInk, text.XCenter, text.YTop)
	for _, h := range []float64{0, last} {
		c.StrokeLine2(draw.LineStyle{Color: axisInk, Width: 0.5}, at(h), bottom, at(h), bottom-3)
		c.FillText(tick, vg.Point{X: at(h), Y: bottom - 5}, fmt.Sprintf("%.2g", h))
	}
	c.FillText(tick, vg.Point{X: x + width/2, Y: bottom - 13}, t.unit)
}
