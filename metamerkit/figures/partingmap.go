package figures

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// partingMap is a heat map for each stage, one below the other, with trees beside it.
type partingMap struct {
	study  *Study
	found  map[[3]string]*parted
	panels []*partingPanel
	max    float64

	left, foot, width, height vg.Length
	names                     map[string][]string // below columns, by set, wrapped
}

// partingPanel is a stage: the sets in the order of its tree, where it has one, and the tree by
// JSD, whose order is another.
type partingPanel struct {
	stage         string
	sets, jsdSets [][]string
	tree, jsd     *tree
}

const (
	partingCell vg.Length = 42 // wide
	partingRow  vg.Length = 32
	partingTree vg.Length = 78
	partingHead vg.Length = 30
)

func (m *partingMap) lay() {
	m.names = map[string][]string{}
	longest := vg.Length(0)
	trees, jsd := false, false
	for _, p := range m.panels {
		trees, jsd = trees || p.tree != nil, jsd || p.jsd != nil
		for _, set := range p.sets {
			label := m.study.Label(set)
			m.left = max(m.left, matrixText.Width(label)+10)
			lines := wrap(matrixText, label, max(90, matrixText.Width(label)/2+20))
			m.names[SetName(set)] = lines
			for _, l := range lines {
				longest = max(longest, matrixText.Width(l))
			}
		}
	}
	m.foot = max(longest, 20) + 16
	n := vg.Length(len(m.panels[0].sets))
	m.width = 8 + m.left + n*partingCell + 8
	if trees {
		m.width += partingTree + 8
	}
	if jsd {
		m.width += m.left + partingTree + 8
	}
	m.width = max(m.width+44, 300)
	m.height = vg.Length(len(m.panels)) * (partingHead + n*partingRow + m.foot)
}

func (m *partingMap) draw(c draw.Canvas) {
	colors := blues(m.max)
	head := style(fontText, true, ink, text.XCenter, text.YBottom)
	upright := matrixText
	upright.Rotation = math.Pi / 2
	for k, p := range m.panels {
		n := vg.Length(len(p.sets))
		top := c.Max.Y - vg.Length(k)*(partingHead+n*partingRow+m.foot) - partingHead
		bottom := top - n*partingRow
		x0 := c.Min.X + 8 + m.left
		c.FillText(head, vg.Point{X: x0 + n*partingCell/2, Y: top + 14}, title(p.stage))
		c.FillText(style(fontSmall, false, axisInk, text.XCenter, text.YBottom), vg.Point{X: x0 + n*partingCell/2, Y: top + 4}, "metamers for (rows), against (columns)")
		for i, set := range p.sets {
			y := top - vg.Length(i+1)*partingRow
			c.FillText(matrixText, vg.Point{X: x0 - 6, Y: y + partingRow/2}, m.study.Label(set))
			lines := m.names[SetName(set)]
			for j, l := range lines {
				x := x0 + (vg.Length(i)+0.5)*partingCell + (vg.Length(j)-vg.Length(len(lines)-1)/2)*8.5
				c.FillText(upright, vg.Point{X: x, Y: bottom - 6}, l)
			}
			for j, other := range p.sets {
				x := x0 + vg.Length(j)*partingCell
				m.cell(c, colors, set, other, p.stage, vg.Rectangle{Min: vg.Point{X: x, Y: y}, Max: vg.Point{X: x + partingCell, Y: y + partingRow}})
			}
		}
		x := x0 + n*partingCell + 8
		if p.tree != nil {
			c.FillText(head, vg.Point{X: x + partingTree/2, Y: top + 14}, "by 1 − r")
			p.tree.draw(c, x, top, partingRow, partingTree)
			x += partingTree + 8
		}
		if p.jsd != nil {
			x += m.left
			c.FillText(head, vg.Point{X: x + partingTree/2, Y: top + 14}, "by JSD")
			for i, set := range p.jsdSets {
				c.FillText(matrixText, vg.Point{X: x - 6, Y: top - (vg.Length(i)+0.5)*partingRow}, m.study.Label(set))
			}
			p.jsd.draw(c, x, top, partingRow, partingTree)
		}
		(&matrix{max: m.max, unit: "1 − r"}).scale(c, colors, top, bottom)
	}
}

// cell draws a value with its interval and, where not all images are metamers, their number.
func (m *partingMap) cell(c draw.Canvas, colors func(float64) color.Color, set, other []string, stage string, r vg.Rectangle) {
	edge := draw.LineStyle{Color: color.White, Width: 0.8}
	middle := (r.Min.X + r.Max.X) / 2
	same := SetName(set) == SetName(other)
	row, ok := m.study.own(set, stage)
	count, images := row.Count, row.Count
	if !same {
		at := m.found[[3]string{SetName(set), SetName(other), stage}]
		if _, ok = differenceOf(at); at != nil {
			row, count, images = at.difference, at.difference.Count, at.images
		}
	}
	small := style(fontSmall-1.5, false, axisInk, text.XCenter, text.YCenter)
	few := fmt.Sprintf("%d of %d", count, images)
	if !ok {
		rectangle(c, r, color.Gray{240}, edge)
		c.StrokeLine2(draw.LineStyle{Color: color.Gray{200}, Width: 0.5}, r.Min.X+3, r.Min.Y+3, r.Max.X-3, r.Max.Y-3)
		if images > 0 && !same {
			c.FillText(small, vg.Point{X: middle, Y: r.Min.Y + 7}, few)
		}
		return
	}
	fill := colors(row.Value)
	rectangle(c, r, fill, edge)
	small.Color = contrast(fill)
	number := style(fontSmall, true, contrast(fill), text.XCenter, text.YCenter)
	c.FillText(number, vg.Point{X: middle, Y: r.Max.Y - 8}, fmt.Sprintf("%.2f", row.Value))
	if row.Low <= row.High {
		c.FillText(small, vg.Point{X: middle, Y: r.Max.Y - 17}, fmt.Sprintf("%.2f–%.2f", row.Low, row.High))
	}
	if count < images {
		c.FillText(small, vg.Point{X: middle, Y: r.Max.Y - 26}, few)
	}
	if same {
		rectangle(c, vg.Rectangle{Min: vg.Point{X: r.Min.X + 1, Y: r.Min.Y + 1}, Max: vg.Point{X: r.Max.X - 1, Y: r.Max.Y - 1}}, nil, draw.LineStyle{Color: orange, Width: 1.2, Dashes: []vg.Length{3, 1.5}})
	}
}
