package figures

import (
	"fmt"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
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
	if len(run.Trace.Step) == 0 {
		return nil, fmt.Errorf("figures: run %s has no trace", run.ID)
	}
	r := run.Recipe
	p := plot.New()
	p.Title.Text = fmt.Sprintf("Inversion loss at %s, %d images", r.Stage, r.Images.Count)
	p.Title.Padding = vg.Points(8)
	p.X.Label.Text, p.Y.Label.Text = "step", r.Loss+" loss (median, 25–75 %)"
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	p.Legend.Top, p.Legend.YOffs = true, 0
	p.Legend.Padding = vg.Points(3)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.Gray{225}, color.Gray{225}
	p.Add(grid)
	for m, name := range r.ModelNames() {
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
		var mid plotter.XYs
		var low, high plotter.XYs
		for _, s := range steps {
			v := at[s]
			slices.Sort(v)
			x := float64(s)
			mid = append(mid, plotter.XY{X: x, Y: stat.Quantile(0.5, stat.LinInterp, v, nil)})
			low = append(low, plotter.XY{X: x, Y: stat.Quantile(0.25, stat.LinInterp, v, nil)})
			high = append(high, plotter.XY{X: x, Y: stat.Quantile(0.75, stat.LinInterp, v, nil)})
		}
		slices.Reverse(high)
		c := palette[m%len(palette)]
		band, err := plotter.NewPolygon(append(low, high...))
		if err != nil {
			return nil, fmt.Errorf("figures: %w", err)
		}
		faint := c
		faint.R, faint.G, faint.B, faint.A = c.R/5, c.G/5, c.B/5, 51
		band.Color, band.LineStyle.Width = faint, 0
		line, err := plotter.NewLine(mid)
		if err != nil {
			return nil, fmt.Errorf("figures: %w", err)
		}
		line.LineStyle = draw.LineStyle{Color: c, Width: vg.Points(1.2)}
		p.Add(band, line)
		p.Legend.Add(name, line)
	}
	// Room above the curves, so that the legend covers none of them.
	p.Y.Max *= math.Pow(p.Y.Max/p.Y.Min, 0.12+0.06*float64(len(r.Models)))
	return p, nil
}

// SaveLoss writes the plot of a run's loss; the ending of path (.png, .svg, .pdf)
// says how.
func SaveLoss(path string, run *metamer.Run) error {
	p, err := Loss(run)
	if err != nil {
		return err
	}
	return p.Save(6.5*vg.Inch, 4*vg.Inch, path)
}
