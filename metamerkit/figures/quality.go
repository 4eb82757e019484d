package figures

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Measure is an image metric as figures and tables show it.
type Measure struct {
	Name   string // as in rows
	Title  string // "" for Name
	Unit   string
	Better metamer.Direction // "" as metamer.Neither
	// Normalised divides by the largest value shown, so that the axis ends at 1.
	Normalised bool
}

func (m Measure) heading() string {
	t := m.Title
	if t == "" {
		t = m.Name
	}
	if a := m.Better.Arrow(); a != "" {
		t += " " + a
	}
	return t
}

// Quality draws Figure 4 (or, for sets of one model, Figure 6): image metrics of
// metamers by stage, a panel a metric, with the references' value as a line. The
// arrow points in the better direction.
func Quality(s *Study, measures []Measure, keep func(set []string) bool) (*Figure, error) {
	stages := s.stages()
	names := make([]string, len(stages))
	for i, st := range stages {
		names[i] = title(st)
	}
	var sets [][]string
	for _, set := range s.sets() {
		if keep == nil || keep(set) {
			sets = append(sets, set)
		}
	}
	var panels []*panel
	for _, m := range measures {
		p := &panel{title: m.heading()}
		top := 0.0
		for n, set := range sets {
			l := &line{label: s.Label(set), color: palette[n%len(palette)], glyph: filled[n/len(palette)%len(filled)], dashed: n >= len(palette)}
			for i, st := range stages {
				r, ok := s.find(m.Name, set, st, "")
				if !ok {
					continue
				}
				x := float64(i) + (float64(n)-float64(len(sets)-1)/2)*0.6/float64(max(len(sets), 4))
				l.points = append(l.points, plotter.XY{X: x, Y: r.Value})
				l.errors = append(l.errors, interval(r))
				top = max(top, math.Abs(r.Value))
			}
			if len(l.points) > 0 {
				p.lines = append(p.lines, l)
			}
		}
		if len(p.lines) == 0 {
			continue
		}
		ref, hasRef := s.find(m.Name, []string{""}, "", "")
		if m.Normalised && top > 0 {
			ref.Value /= top
			for _, l := range p.lines {
				for i := range l.points {
					l.points[i].Y /= top
					l.errors[i].Low, l.errors[i].High = l.errors[i].Low/top, l.errors[i].High/top
				}
			}
		}
		p.plot = themed(p.title)
		withGrid(p.plot, false)
		if hasRef {
			if err := reference(p.plot, ref.Value, len(stages)); err != nil {
				return nil, fmt.Errorf("figures: %w", err)
			}
		}
		for _, l := range p.lines {
			if err := l.draw(p.plot); err != nil {
				return nil, fmt.Errorf("figures: %w", err)
			}
		}
		pad := 0.05 * (p.plot.Y.Max - p.plot.Y.Min)
		p.plot.Y.Min, p.plot.Y.Max = p.plot.Y.Min-pad, p.plot.Y.Max+pad
		category(&p.plot.X, names)
		p.plot.Y.Label.Text = m.Unit
		if m.Normalised {
			p.plot.Y.Label.Text = "share of maximum"
		}
		panels = append(panels, p)
	}
	if err := need(len(panels) > 0, "quality", "image metric of a model set"); err != nil {
		return nil, err
	}
	q := &grid{panels: panels, study: s, sets: sets}
	q.lay()
	return &Figure{
		Name: "figure4", Title: "Image metrics",
		Caption: s.caption(fmt.Sprintf("Image metrics of metamers%s by stage: mean over images with 95 %% bootstrap intervals. Arrows point in the better direction; the grey line is the references' mean.", ofSets(sets))),
		Width:   q.width, Height: q.height, draw: q.draw,
	}, nil
}

// reference is the grey line of the reference images.
func reference(p *plot.Plot, y float64, n int) error {
	l, err := plotter.NewLine(plotter.XYs{{X: -0.4, Y: y}, {X: float64(n) - 0.6, Y: y}})
	if err != nil {
		return err
	}
	l.LineStyle = draw.LineStyle{Color: axisInk, Width: 1}
	p.Add(l)
	return nil
}

// grid is a page of panels with one legend at the foot.
type grid struct {
	panels        []*panel
	study         *Study
	sets          [][]string
	cols, rows    int
	legend        []entry
	width, height vg.Length
	foot          vg.Length
}

func (q *grid) lay() {
	q.cols = min(4, len(q.panels))
	q.rows = (len(q.panels) + q.cols - 1) / q.cols
	q.width = max(vg.Length(q.cols)*132, 270)
	for n, set := range q.sets {
		q.legend = append(q.legend, entry{q.study.Label(set), lineStyle(palette[n%len(palette)], n >= len(palette)), filled[n/len(palette)%len(filled)]})
	}
	q.legend = append(q.legend, entry{"references", draw.LineStyle{Color: axisInk, Width: 1}, nil})
	q.foot = q.flow(nil) + 6
	q.height = vg.Length(q.rows)*128 + q.foot
}

// flow sets the legend's entries in lines and returns their height; without a
// canvas it only measures.
func (q *grid) flow(c *draw.Canvas) vg.Length {
	st := style(fontSmall, false, ink, text.XLeft, text.YCenter)
	x, y := vg.Length(12), vg.Length(8)
	for _, e := range q.legend {
		w := 22 + st.Width(e.text) + 14
		if x > 12 && x+w > q.width {
			x, y = 12, y+legendStep+1
		}
		if c != nil {
			at := vg.Point{X: c.Min.X + x, Y: c.Min.Y + q.foot - y}
			c.StrokeLine2(e.line, at.X, at.Y, at.X+18, at.Y)
			if e.glyph != nil {
				c.DrawGlyph(draw.GlyphStyle{Color: e.line.Color, Radius: 2.2, Shape: e.glyph}, vg.Point{X: at.X + 9, Y: at.Y})
			}
			c.FillText(st, vg.Point{X: at.X + 22, Y: at.Y}, e.text)
		}
		x += w
	}
	return y + 8
}

func (q *grid) draw(c draw.Canvas) {
	plots := make([][]*plot.Plot, q.rows)
	for r := range plots {
		plots[r] = make([]*plot.Plot, q.cols)
		for col := range plots[r] {
			if i := r*q.cols + col; i < len(q.panels) {
				plots[r][col] = q.panels[i].plot
			}
		}
	}
	body := draw.Crop(c, 4, -6, q.foot, -5)
	drawAligned(plots, draw.Tiles{Rows: q.rows, Cols: q.cols, PadX: 8, PadY: 8}, body)
	q.flow(&c)
}
