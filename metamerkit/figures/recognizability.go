package figures

import (
	"fmt"
	"image/color"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Recognizability draws Figure 3: the share of metamers that observers give the
// reference's class, over the stages, a panel for each kind of model set. Filled
// marks on solid lines are the mean over the set's own members, hollow marks on
// dashed lines over all other observers; bars are 95 % intervals over images.
func Recognizability(s *Study) (*Figure, error) {
	var panels []*panel
	stages := s.stages()
	for _, set := range s.sets() {
		g := s.group(set...).name
		if len(panels) == 0 || panels[len(panels)-1].title != g {
			panels = append(panels, &panel{title: g})
		}
		p := panels[len(panels)-1]
		p.add(s, set, stages)
	}
	panels = drop(panels)
	if err := need(len(panels) > 0, "recognizability", "measure "+metamer.Recognizability+" of a model set"); err != nil {
		return nil, err
	}
	names := make([]string, len(stages))
	for i, st := range stages {
		names[i] = title(st)
	}
	for _, p := range panels {
		p.plot = themed(title(p.title))
		withGrid(p.plot, false)
		category(&p.plot.X, names)
		p.plot.Y.Min, p.plot.Y.Max = -0.03, 1.03 // marks at 0 and 1 move no axis
		p.spread()
		for _, l := range p.lines {
			if err := l.draw(p.plot); err != nil {
				return nil, fmt.Errorf("figures: %w", err)
			}
		}
	}
	for i, p := range panels {
		p.plot.Y.Tick.Marker = plot.ConstantTicks{{Value: 0, Label: "0"}, {Value: 0.25}, {Value: 0.5, Label: "0.5"}, {Value: 0.75}, {Value: 1, Label: "1"}}
		if i%panelsPerRow == 0 {
			p.plot.Y.Label.Text = "recognizability"
		}
	}
	key := []entry{
		{"members of the set", lineStyle(ink, false), filled[0]},
		{"other observers", lineStyle(ink, true), hollow[0]},
	}
	who := ""
	if slices.ContainsFunc(s.Rows, func(r metamer.Row) bool {
		return r.Observer == metamer.People && r.Set != "" && r.Measure == metamer.Recognizability
	}) {
		key = append(key, entry{"people", dotted(ink), draw.CrossGlyph{}})
		who = " People are dotted, with intervals over participants and images."
	}
	return &Figure{
		Name: "figure3", Title: "Recognizability",
		Caption: s.caption("Recognizability of metamers by stage: share of images whose metamer gets the reference's class, mean over the set's members (solid) and over all other observers (dashed), with 95 % bootstrap intervals over images." + who),
		Width:   vg.Length(min(max(len(panels), 2), panelsPerRow)) * 175, Height: panelsHeight(panels),
		draw: func(c draw.Canvas) { drawPanels(c, panels, key) },
	}, nil
}

// panel is one plot with the lines of several model sets and a legend below.
type panel struct {
	title string
	lines []*line
	plot  *plot.Plot
}

// line is one curve with its intervals.
type line struct {
	label  string // of the legend, "" for a line that shares an entry
	color  color.RGBA
	glyph  draw.GlyphDrawer
	dashed bool
	dots   bool // people
	points plotter.XYs
	errors plotter.YErrors
}

func (p *panel) add(s *Study, set []string, stages []string) {
	n := 0
	for _, l := range p.lines {
		if l.label != "" {
			n++
		}
	}
	for k, who := range []string{metamer.Members, metamer.NonMembers, metamer.People} {
		glyphs := [][]draw.GlyphDrawer{filled, hollow, {draw.CrossGlyph{}}}[k]
		l := &line{color: palette[n%len(palette)], glyph: glyphs[n/len(palette)%len(glyphs)], dashed: k == 1, dots: k == 2}
		for i, st := range stages {
			r, ok := s.find(metamer.Recognizability, set, st, who)
			if !ok {
				continue
			}
			l.points = append(l.points, plotter.XY{X: float64(i), Y: r.Value})
			l.errors = append(l.errors, interval(r))
		}
		if len(l.points) == 0 {
			continue
		}
		if k == 0 || len(p.lines) == 0 || p.lines[len(p.lines)-1].color != l.color {
			l.label = s.Label(set)
		}
		p.lines = append(p.lines, l)
	}
}

// spread sets the lines side by side around the stages, so that intervals do not cover
// each other.
func (p *panel) spread() {
	n := float64(len(p.lines))
	for i, l := range p.lines {
		for k := range l.points {
			l.points[k].X += (float64(i) - (n-1)/2) * min(0.06, 0.6/n)
		}
	}
}

// interval is how far a row's bounds are from its value; none where it has none.
func interval(r metamer.Row) struct{ Low, High float64 } {
	if r.Low <= r.Value && r.Value <= r.High {
		return struct{ Low, High float64 }{r.Value - r.Low, r.High - r.Value}
	}
	return struct{ Low, High float64 }{}
}

func (l *line) draw(p *plot.Plot) error {
	curve, err := plotter.NewLine(l.points)
	if err != nil {
		return err
	}
	curve.LineStyle = lineStyle(l.color, l.dashed)
	if l.dots {
		curve.LineStyle = dotted(l.color)
	}
	marks, err := plotter.NewScatter(l.points)
	if err != nil {
		return err
	}
	marks.GlyphStyle = draw.GlyphStyle{Color: l.color, Radius: 2.2, Shape: l.glyph}
	bars, err := plotter.NewYErrorBars(struct {
		plotter.XYs
		plotter.YErrors
	}{l.points, l.errors})
	if err != nil {
		return err
	}
	bars.LineStyle = draw.LineStyle{Color: l.color, Width: 0.6}
	bars.CapWidth = 3
	p.Add(curve, bars, marks)
	return nil
}

func lineStyle(c color.Color, dashed bool) draw.LineStyle {
	st := draw.LineStyle{Color: c, Width: 1}
	if dashed {
		st.Dashes = []vg.Length{3, 2}
	}
	return st
}

func dotted(c color.Color) draw.LineStyle {
	return draw.LineStyle{Color: c, Width: 1, Dashes: []vg.Length{1, 2}}
}

func drop(ps []*panel) (kept []*panel) {
	for _, p := range ps {
		if len(p.lines) > 0 {
			kept = append(kept, p)
		}
	}
	return kept
}

// entry is a line of a legend.
type entry struct {
	text  string
	line  draw.LineStyle
	glyph draw.GlyphDrawer
}

const (
	legendStep   vg.Length = 10
	plotHeight   vg.Length = 160
	panelsPerRow           = 3
)

var legendText = style(fontSmall, false, ink, text.XLeft, text.YCenter)

// legendHeight is that of the longest legend of the panels.
func legendHeight(ps []*panel) vg.Length {
	most := 0
	for _, p := range ps {
		n := 0
		for _, l := range p.lines {
			if l.label != "" {
				n += len(wrap(legendText, l.label, 135))
			}
		}
		most = max(most, n)
	}
	return vg.Length(most)*legendStep + 14
}

const keyHeight vg.Length = 18

func panelsHeight(ps []*panel) (h vg.Length) {
	for row := range slices.Chunk(ps, panelsPerRow) {
		h += plotHeight + legendHeight(row)
	}
	return h + keyHeight
}

// drawPanels draws plots in rows, aligned, each with its legend below, and the
// common key at the foot.
func drawPanels(c draw.Canvas, ps []*panel, key []entry) {
	x := c.Min.X + 12
	for _, e := range key {
		x = legend(c, vg.Point{X: x, Y: c.Min.Y + 10}, e, legendText) + 18
	}
	cols := min(max(len(ps), 2), panelsPerRow)
	top := vg.Length(0)
	for row := range slices.Chunk(ps, panelsPerRow) {
		foot := legendHeight(row)
		below := c.Max.Y - c.Min.Y - top - plotHeight
		body := draw.Crop(c, 4, -8, below+4, -top-4)
		plots := make([]*plot.Plot, cols)
		for i, p := range row {
			plots[i] = p.plot
		}
		canvases := drawAligned([][]*plot.Plot{plots}, draw.Tiles{Rows: 1, Cols: cols, PadX: 10}, body)
		for i, p := range row {
			at := canvases[0][i]
			y := body.Min.Y - 10
			for _, l := range p.lines {
				if l.label == "" {
					continue
				}
				for j, part := range wrap(legendText, l.label, 135) {
					at := vg.Point{X: at.Min.X + 18, Y: y}
					if j == 0 {
						legend(c, at, entry{part, lineStyle(l.color, false), l.glyph}, legendText)
					} else {
						c.FillText(legendText, vg.Point{X: at.X + 22, Y: y}, part)
					}
					y -= legendStep
				}
			}
		}
		top += plotHeight + foot
	}
}

// legend draws a sample and its text and returns the x behind it.
func legend(c draw.Canvas, at vg.Point, e entry, st text.Style) vg.Length {
	c.StrokeLine2(e.line, at.X, at.Y, at.X+18, at.Y)
	c.DrawGlyph(draw.GlyphStyle{Color: e.line.Color, Radius: 2.2, Shape: e.glyph}, vg.Point{X: at.X + 9, Y: at.Y})
	c.FillText(st, vg.Point{X: at.X + 22, Y: at.Y}, e.text)
	return at.X + 22 + st.Width(e.text)
}
