package figures

import (
	"errors"
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// palette is Okabe and Ito's, without yellow, which is faint on white.
var palette = []color.RGBA{
	{0, 114, 178, 255}, {213, 94, 0, 255}, {0, 158, 115, 255}, {204, 121, 167, 255}, {86, 180, 233, 255}, {230, 159, 0, 255}, {0, 0, 0, 255},
}

// floor is what a loss of zero is drawn at, on the logarithmic axis.
const floor = 1e-7

// Loss plots the inversion loss of a run over its steps: for each member the
// median over images and the band from the 25th to the 75th percentile.
func Loss(run *metamer.Run) (*plot.Plot, error) {
	r := run.Recipe
	p := plot.New()
	p.Title.Text = fmt.Sprintf("Inversion loss at %s, %d images", r.Stage, r.Images.Count)
	p.Title.Padding = vg.Points(8)
	p.X.Label.Text, p.Y.Label.Text = "step", strings.ReplaceAll(strings.ReplaceAll(r.Loss, "-", " "), "l2", "L2")+" loss (median, 25–75 %)"
	p.X.Padding, p.Y.Padding = vg.Points(4), vg.Points(4)
	for _, st := range []*text.Style{&p.Title.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label, &p.Legend.TextStyle} {
		st.Font.Variant = "Sans"
	}
	names := r.ModelNames()
	for _, n := range r.Against.Names() {
		names = append(names, fmt.Sprintf("against %s (%s)", n, r.Against.Loss))
	}
	if err := drawLoss(p, run, names); err != nil {
		return nil, err
	}
	return p, nil
}

// drawLoss draws the loss of a run's members, by the names given to them, into a plot.
func drawLoss(p *plot.Plot, run *metamer.Run, names []string) error {
	if len(run.Trace.Step) == 0 {
		return fmt.Errorf("figures: run %s has no trace", run.ID)
	}
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, fewDecades{}
	p.Legend.Top, p.Legend.YOffs = true, 0
	p.Legend.Padding = vg.Points(3)
	p.Legend.TextStyle.Font.Variant = "Sans"
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.Gray{225}, color.Gray{225}
	p.Add(grid)
	drawn := false
	for m, name := range names {
		at := map[int][]float64{} // step → losses of all images, from all batches
		for i, step := range run.Trace.Step {
			if run.Trace.Member[i] != m {
				continue
			}
			for _, v := range run.Trace.Loss[i] {
				if f := float64(v); !math.IsNaN(f) && !math.IsInf(f, 0) {
					at[step] = append(at[step], max(f, floor))
				}
			}
		}
		var steps []int
		for s := range at {
			steps = append(steps, s)
		}
		if len(steps) == 0 {
			continue
		}
		slices.Sort(steps)
		c := palette[m%len(palette)]
		shown := false
		for _, part := range stretches(steps) {
			line, err := curve(p, part, at, c)
			if err != nil {
				return fmt.Errorf("figures: %w", err)
			}
			if !shown {
				p.Legend.Add(name, line)
			}
			shown = true
		}
		drawn = drawn || shown
	}
	if !drawn {
		return fmt.Errorf("figures: run %s has no finite loss", run.ID)
	}
	if !(p.Y.Max > p.Y.Min*1.01) {
		p.Y.Min, p.Y.Max = max(p.Y.Min, floor)/2, max(p.Y.Max, floor)*2
	}
	if p.X.Max <= p.X.Min {
		p.X.Max = p.X.Min + 1
	}
	// Room above the curves, so that the legend covers none of them.
	p.Y.Max *= math.Pow(p.Y.Max/p.Y.Min, 0.12+0.06*float64(len(names)))
	return nil
}

// Color is the one that figures draw the nth line with.
func Color(n int) color.RGBA { return palette[n%len(palette)] }

// LossFigure is the plot of Loss as a figure.
func LossFigure(run *metamer.Run) (*Figure, error) {
	p, err := Loss(run)
	if err != nil {
		return nil, err
	}
	return &Figure{
		Name: "loss", Title: p.Title.Text, Caption: "Inversion loss of each member over the steps: median over images, and the band from the 25th to the 75th percentile.",
		Width: 6.5 * vg.Inch, Height: 4 * vg.Inch, draw: func(c draw.Canvas) { p.Draw(draw.Crop(c, 6, -14, 6, -6)) },
	}, nil
}

// SaveLoss writes the plot of a run's loss; the ending of path (.png, .svg, .pdf)
// says how.
func SaveLoss(path string, run *metamer.Run) error {
	p, err := Loss(run)
	if err != nil {
		return err
	}
	c, err := draw.NewFormattedCanvas(6.5*vg.Inch, 4*vg.Inch, strings.TrimPrefix(filepath.Ext(path), "."))
	if err != nil {
		return fmt.Errorf("figures: %s: %w", path, err)
	}
	p.Draw(draw.Crop(draw.New(c), 6, -14, 6, -6)) // a margin, so that nothing touches the edges
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = c.WriteTo(f)
	return errors.Join(err, f.Close())
}

// fewDecades are ticks of a logarithmic axis that may be short: named are powers of ten,
// where there are less than three of them also twice and five times those, or else all.
type fewDecades struct{}

func (fewDecades) Ticks(low, high float64) (ticks []plot.Tick) {
	from, to := int(math.Floor(math.Log10(low))), int(math.Ceil(math.Log10(high)))
	for _, digits := range [][]int{{1}, {1, 2, 5}, {1, 2, 3, 4, 5, 6, 7, 8, 9}} {
		named := 0
		ticks = ticks[:0]
		for k := from; k <= to; k++ {
			for d := 1; d < 10; d++ {
				t := plot.Tick{Value: float64(d) * math.Pow(10, float64(k))}
				if t.Value < low || t.Value > high {
					continue
				}
				if slices.Contains(digits, d) {
					t.Label = strconv.FormatFloat(t.Value, 'g', 3, 64)
					named++
				}
				ticks = append(ticks, t)
			}
		}
		if named >= 3 {
			break
		}
	}
	return ticks
}

// stretches cuts the steps where a member paused, so that no line joins its last
// step before the others' turn with its next.
func stretches(steps []int) (out [][]int) {
	stride := math.MaxInt
	for i := 1; i < len(steps); i++ {
		stride = min(stride, steps[i]-steps[i-1])
	}
	from := 0
	for i := 1; i <= len(steps); i++ {
		// The trace is thinned behind its head, where single rows stay joined.
		if i == len(steps) || stride < 3 && steps[i]-steps[i-1] > 2*stride && steps[i] < 100 {
			out = append(out, steps[from:i])
			from = i
		}
	}
	return out
}

// curve adds median and band of one stretch; a single step is a dot.
func curve(p *plot.Plot, steps []int, at map[int][]float64, c color.RGBA) (*plotter.Line, error) {
	var mid, low, high plotter.XYs
	for _, s := range steps {
		v, x := at[s], float64(s)
		slices.Sort(v)
		mid = append(mid, plotter.XY{X: x, Y: Quantile(0.5, v)})
		low = append(low, plotter.XY{X: x, Y: Quantile(0.25, v)})
		high = append(high, plotter.XY{X: x, Y: Quantile(0.75, v)})
	}
	line, err := plotter.NewLine(mid)
	if err != nil {
		return nil, err
	}
	line.LineStyle = draw.LineStyle{Color: c, Width: vg.Points(1.2)}
	if len(steps) == 1 {
		dot, err := plotter.NewScatter(mid)
		if err != nil {
			return nil, err
		}
		dot.GlyphStyle = draw.GlyphStyle{Color: c, Radius: vg.Points(2), Shape: draw.CircleGlyph{}}
		p.Add(dot)
		return line, nil
	}
	slices.Reverse(high)
	band, err := plotter.NewPolygon(append(low, high...))
	if err != nil {
		return nil, err
	}
	band.Color, band.LineStyle.Width = color.RGBA{c.R / 5, c.G / 5, c.B / 5, 51}, 0
	p.Add(band, line)
	return line, nil
}
