package figures

import (
	"cmp"
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot/palette/moreland"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Divergence draws Figure 5 (ensembles) or, for sets of one model, Figure 7: the
// Jensen-Shannon divergence, in bits, of the representational similarity
// distributions of metamers and references. Rows are observers, columns model
// sets, a panel a stage; a dashed outline says that the observer is a member.
func Divergence(s *Study, measure string, keep func(set []string) bool) (*Figure, error) {
	m := &matrix{study: s, stages: s.stages(), observers: s.observers()}
	for _, set := range s.sets() {
		if keep == nil || keep(set) {
			m.sets = append(m.sets, set)
		}
	}
	for _, st := range m.stages {
		for _, set := range m.sets {
			for _, o := range m.observers {
				if r, ok := s.find(measure, set, st, o); ok {
					m.max = max(m.max, r.Value)
					m.cells++
				}
			}
		}
	}
	if m.cells == 0 {
		for _, r := range s.Rows {
			if r.Measure == measure && r.Image < 0 && cmp.Or(r.Withheld(), r.Reason) != "" {
				return nil, fmt.Errorf("figures: divergence has no value to show: %s", cmp.Or(r.Withheld(), r.Reason))
			}
		}
		return nil, need(false, "divergence", "measure "+measure+" of an observer")
	}
	m.measure, m.unit = measure, "bits"
	m.max = math.Ceil(max(m.max, 0.01)*20) / 20 // to the next .05
	m.lay()
	return &Figure{
		Name: "figure5", Title: "Jensen-Shannon divergence",
		Caption: s.caption(fmt.Sprintf("Jensen-Shannon divergence (bits) between the representational similarity distributions of metamers%s and of references, by stage, observer (rows) and model set (columns). Dashed outlines: the observer is a member of the set.", ofSets(m.sets))),
		Width:   m.width, Height: m.height, draw: m.draw,
	}, nil
}

// matrix is a row of heat maps with shared rows.
type matrix struct {
	study             *Study
	measure, unit     string
	stages, observers []string
	sets              [][]string
	cells             int
	max               float64

	cell, left, top, width, height vg.Length
	names                          [][]string // of each set, wrapped
}

const matrixGap vg.Length = 14

var matrixText = style(fontSmall, false, ink, text.XRight, text.YCenter)

// lay finds the sizes: names are never clipped, cells hold a number when there is
// room.
func (m *matrix) lay() {
	m.cell = 24
	if n := len(m.sets) * len(m.stages); n > 24 {
		m.cell = max(9, 24*24/vg.Length(n))
	}
	for _, o := range m.observers {
		m.left = max(m.left, matrixText.Width(o)+10)
	}
	longest := vg.Length(0)
	for _, set := range m.sets {
		lines := []string{m.study.Label(set)}
		if m.cell >= 20 { // two lines have room beside each other
			lines = wrap(matrixText, lines[0], max(90, matrixText.Width(lines[0])/2+20))
		}
		m.names = append(m.names, lines)
		for _, l := range lines {
			longest = max(longest, matrixText.Width(l))
		}
	}
	// Names stand upright above their columns' lower edge.
	m.top = longest + 12
	m.width = 8 + m.left + vg.Length(len(m.stages))*(vg.Length(len(m.sets))*m.cell+matrixGap) + 46
	m.height = 26 + vg.Length(len(m.observers))*m.cell + m.top + 8
}

func (m *matrix) draw(c draw.Canvas) {
	colors := blues(m.max)
	head := style(fontText, true, ink, text.XCenter, text.YBottom)
	upright := matrixText
	upright.Rotation, upright.XAlign, upright.YAlign = math.Pi/2, text.XRight, text.YCenter
	top := c.Max.Y - 24
	bottom := top - vg.Length(len(m.observers))*m.cell
	for k, st := range m.stages {
		x0 := c.Min.X + 8 + m.left + vg.Length(k)*(vg.Length(len(m.sets))*m.cell+matrixGap)
		c.FillText(head, vg.Point{X: x0 + vg.Length(len(m.sets))*m.cell/2, Y: top + 6}, title(st))
		for j, set := range m.sets {
			x := x0 + vg.Length(j)*m.cell
			for n, l := range m.names[j] {
				c.FillText(upright, vg.Point{X: x + m.cell/2 + (vg.Length(n)-vg.Length(len(m.names[j])-1)/2)*8.5, Y: bottom - 6}, l)
			}
			for i, o := range m.observers {
				y := top - vg.Length(i+1)*m.cell
				m.one(c, colors, set, st, o, vg.Rectangle{Min: vg.Point{X: x, Y: y}, Max: vg.Point{X: x + m.cell, Y: y + m.cell}})
			}
		}
		// Outlines last, so that no neighbour covers them.
		for j, set := range m.sets {
			for i, o := range m.observers {
				if r, ok := m.study.find(m.measure, set, st, o); ok && r.Member {
					x, y := x0+vg.Length(j)*m.cell, top-vg.Length(i+1)*m.cell
					rectangle(c, vg.Rectangle{Min: vg.Point{X: x + 1, Y: y + 1}, Max: vg.Point{X: x + m.cell - 1, Y: y + m.cell - 1}}, nil,
						draw.LineStyle{Color: orange, Width: 1.2, Dashes: []vg.Length{3, 1.5}})
				}
			}
		}
	}
	for i, o := range m.observers {
		c.FillText(matrixText, vg.Point{X: c.Min.X + m.left, Y: top - (vg.Length(i)+0.5)*m.cell}, o)
	}
	m.separators(c, top)
	m.scale(c, colors, top, bottom)
}

// one draws a cell: its colour, and its number when there is room.
func (m *matrix) one(c draw.Canvas, colors func(float64) color.Color, set []string, stage, observer string, r vg.Rectangle) {
	row, ok := m.study.find(m.measure, set, stage, observer)
	edge := draw.LineStyle{Color: color.White, Width: 0.8}
	if !ok { // crossed out: not measured, or not defined
		rectangle(c, r, color.Gray{240}, edge)
		c.StrokeLine2(draw.LineStyle{Color: color.Gray{200}, Width: 0.5}, r.Min.X+3, r.Min.Y+3, r.Max.X-3, r.Max.Y-3)
		return
	}
	fill := colors(row.Value)
	rectangle(c, r, fill, edge)
	st := style(fontSmall-1, false, contrast(fill), text.XCenter, text.YCenter)
	number := fmt.Sprintf("%.2f", row.Value)
	if st.Width(number)+4 <= m.cell {
		c.FillText(st, vg.Point{X: (r.Min.X + r.Max.X) / 2, Y: (r.Min.Y + r.Max.Y) / 2}, number)
	}
}

// separators part the kinds of observers.
func (m *matrix) separators(c draw.Canvas, top vg.Length) {
	for i := 1; i < len(m.observers); i++ {
		if m.study.group(m.observers[i-1]) == m.study.group(m.observers[i]) {
			continue
		}
		y := top - vg.Length(i)*m.cell
		for k := range m.stages {
			x0 := c.Min.X + 8 + m.left + vg.Length(k)*(vg.Length(len(m.sets))*m.cell+matrixGap)
			c.StrokeLine2(draw.LineStyle{Color: ink, Width: 0.8}, x0, y, x0+vg.Length(len(m.sets))*m.cell, y)
		}
	}
}

// scale draws the colour bar with its ends and middle.
func (m *matrix) scale(c draw.Canvas, colors func(float64) color.Color, top, bottom vg.Length) {
	x := c.Max.X - 40
	low := min(bottom, top-50)
	const steps = 64
	h := (top - low) / steps
	for i := range steps {
		y := low + vg.Length(i)*h
		rectangle(c, vg.Rectangle{Min: vg.Point{X: x, Y: y}, Max: vg.Point{X: x + 8, Y: y + h + 0.3}}, colors(m.max*(float64(i)+0.5)/steps), draw.LineStyle{})
	}
	st := style(fontSmall, false, ink, text.XLeft, text.YCenter)
	for _, f := range []float64{0, 0.5, 1} {
		c.FillText(st, vg.Point{X: x + 11, Y: low + vg.Length(f)*(top-low)}, fmt.Sprintf("%.2g", f*m.max))
	}
	st.XAlign, st.YAlign = text.XLeft, text.YBottom
	c.FillText(st, vg.Point{X: x, Y: top + 6}, m.unit)
}

// blues rises evenly in darkness from nearly white at 0, so that it is read in
// print and with any colour vision.
func blues(top float64) func(float64) color.Color {
	m, err := moreland.NewLuminance([]color.Color{color.RGBA{8, 40, 100, 255}, color.RGBA{49, 130, 189, 255}, color.RGBA{244, 248, 252, 255}})
	if err != nil {
		panic("figures: " + err.Error()) // only if the colours above were not ordered
	}
	m.SetMin(0)
	m.SetMax(top)
	return func(v float64) color.Color {
		c, err := m.At(top - min(max(v, 0), top))
		if err != nil {
			return color.Gray{240}
		}
		return c
	}
}

// contrast is black or white, whichever is read better on c.
func contrast(c color.Color) color.Color {
	g := color.GrayModel.Convert(c).(color.Gray)
	if g.Y > 128 {
		return color.Black
	}
	return color.White
}
