package figures

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Descent is a panel of Descents: how the loss falls with the work, one line a method.
type Descent struct {
	Title string
	Lines []DescentLine
}

// DescentLine is the loss of every image after a number of evaluations: Loss[k][i] of
// image i after Evaluations[k]. A label has one colour in all panels.
type DescentLine struct {
	Label       string
	Evaluations []int
	Loss        [][]float64
}

// descentHeight is that of a row of panels.
const descentHeight = 150

// Descents plots median losses over images with bands from the 25th to the 75th
// percentile, against model gradient evaluations, with a number of panels a row.
func Descents(panels []Descent, columns int) (*Figure, error) {
	if len(panels) == 0 || columns < 1 {
		return nil, fmt.Errorf("figures: descents: %d panels in rows of %d, expected at least 1", len(panels), columns)
	}
	var labels []string
	rows := make([][]*plot.Plot, 0, len(panels))
	for i, d := range panels {
		p := themed(d.Title)
		p.Title.Text = strings.Join(wrap(p.Title.TextStyle, d.Title, 200), "\n")
		withGrid(p, false)
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, decades{}
		if i/columns == (len(panels)-1)/columns {
			p.X.Label.Text = "model gradient evaluations"
		}
		if i%columns == 0 {
			p.Y.Label.Text = "relative L2 loss"
			rows = append(rows, make([]*plot.Plot, columns))
		}
		rows[len(rows)-1][i%columns] = p
		for _, l := range d.Lines {
			k := slices.Index(labels, l.Label)
			if k < 0 {
				k, labels = len(labels), append(labels, l.Label)
			}
			if err := l.add(p, palette[k%len(palette)], k >= len(palette)); err != nil {
				return nil, fmt.Errorf("figures: %s, %s: %w", d.Title, l.Label, err)
			}
		}
		// From a whole decade below, so that every panel has two ticks at least.
		p.Y.Min = math.Pow(10, math.Ceil(math.Log10(p.Y.Min))-1)
		if p.Y.Max < 10*p.Y.Min {
			p.Y.Max = 10 * p.Y.Min
		}
	}
	return &Figure{
		Name: "descents", Title: "Loss against evaluations",
		Caption: "Relative L2 loss, mean over members, against the number of model gradient evaluations: median over images, and the band from the 25th to the 75th percentile.",
		Width:   vg.Length(max(columns, 2)) * 240, Height: vg.Length(len(rows))*descentHeight + 28,
		draw: func(c draw.Canvas) {
			x := c.Min.X + 12
			for k, l := range labels {
				x = legend(c, vg.Point{X: x, Y: c.Min.Y + 10}, entry{l, lineStyle(palette[k%len(palette)], k >= len(palette)), filled[0]}, legendText) + 16
			}
			body := draw.Crop(c, 6, -10, 24, -6)
			drawAligned(rows, draw.Tiles{Rows: len(rows), Cols: columns, PadX: 12, PadY: 10}, body)
		},
	}, nil
}

// decades are ticks at powers of ten, a name for at most six of them.
type decades struct{}

func (decades) Ticks(low, high float64) (ticks []plot.Tick) {
	from, to := int(math.Floor(math.Log10(low))), int(math.Ceil(math.Log10(high)))
	stride := 1 + (to-from)/6
	for k := from; k <= to; k++ {
		t := plot.Tick{Value: math.Pow(10, float64(k))}
		if k%stride == 0 {
			t.Label = map[int]string{1: "10", 0: "1", -1: "0.1", -2: "0.01"}[k]
			if t.Label == "" {
				t.Label = fmt.Sprintf("1e%d", k)
			}
		}
		ticks = append(ticks, t)
	}
	return ticks
}

func (l DescentLine) add(p *plot.Plot, c color.RGBA, dashed bool) error {
	var mid, band plotter.XYs
	var high plotter.XYs
	for k, row := range l.Loss {
		v := slices.Clone(row)
		for i := range v {
			v[i] = max(v[i], floor)
		}
		slices.Sort(v)
		x := float64(l.Evaluations[k])
		mid = append(mid, plotter.XY{X: x, Y: Quantile(0.5, v)})
		band = append(band, plotter.XY{X: x, Y: Quantile(0.25, v)})
		high = append(high, plotter.XY{X: x, Y: Quantile(0.75, v)})
	}
	if len(mid) == 0 {
		return fmt.Errorf("no losses")
	}
	line, err := plotter.NewLine(mid)
	if err != nil {
		return err
	}
	line.LineStyle = lineStyle(c, dashed)
	slices.Reverse(high)
	area, err := plotter.NewPolygon(append(band, high...))
	if err != nil {
		return err
	}
	area.Color, area.LineStyle.Width = color.RGBA{c.R / 6, c.G / 6, c.B / 6, 42}, 0
	p.Add(area, line)
	return nil
}
