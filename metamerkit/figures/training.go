package figures

import (
	"errors"
	"fmt"
	"image/color"
	"os"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Training is the course of a training.
type Training struct {
	Name   string
	Points []TrainingPoint
}

// TrainingPoint is its state at the end of an epoch. Accuracies are shares;
// Attacked is below zero where nothing was attacked.
type TrainingPoint struct {
	Epoch                                   int
	Rate, Loss, Accuracy, HeldOut, Attacked float64
}

// TrainingCurves draws accuracy (of what was trained on, of held-out images clean
// and attacked) above loss, each over epochs.
func TrainingCurves(t Training) (accuracy, loss *plot.Plot, err error) {
	if len(t.Points) == 0 {
		return nil, nil, fmt.Errorf("figures: training of %s has no points", t.Name)
	}
	accuracy, loss = plot.New(), plot.New()
	accuracy.Title.Text = t.Name
	accuracy.Y.Label.Text, loss.Y.Label.Text, loss.X.Label.Text = "accuracy, %", "training loss", "epoch"
	accuracy.Y.Min, accuracy.Y.Max, loss.Y.Min = 0, 100, 0
	for _, p := range []*plot.Plot{accuracy, loss} {
		p.X.Padding, p.Y.Padding = vg.Points(4), vg.Points(4)
		p.X.Min, p.X.Max = 0, float64(t.Points[len(t.Points)-1].Epoch)
		for _, st := range []*text.Style{&p.Title.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label, &p.Legend.TextStyle} {
			st.Font.Variant = "Sans"
		}
		grid := plotter.NewGrid()
		grid.Vertical.Color, grid.Horizontal.Color = color.Gray{225}, color.Gray{225}
		p.Add(grid)
	}
	accuracy.Legend.YOffs, accuracy.Legend.Padding = vg.Points(4), vg.Points(3)
	line := func(p *plot.Plot, name string, c color.Color, value func(TrainingPoint) float64) error {
		var xy plotter.XYs
		for _, q := range t.Points {
			if v := value(q); v >= 0 {
				xy = append(xy, plotter.XY{X: float64(q.Epoch), Y: v})
			}
		}
		if len(xy) == 0 {
			return nil
		}
		l, s, err := plotter.NewLinePoints(xy)
		if err != nil {
			return fmt.Errorf("figures: %w", err)
		}
		l.LineStyle = draw.LineStyle{Color: c, Width: vg.Points(1.2)}
		s.GlyphStyle = draw.GlyphStyle{Color: c, Radius: vg.Points(1.6), Shape: draw.CircleGlyph{}}
		p.Add(l, s)
		if name != "" {
			p.Legend.Add(name, l)
		}
		return nil
	}
	err = errors.Join(
		line(accuracy, "trained on", palette[6], func(q TrainingPoint) float64 { return 100 * q.Accuracy }),
		line(accuracy, "held out", palette[0], func(q TrainingPoint) float64 { return 100 * q.HeldOut }),
		line(accuracy, "held out, PGD-10", palette[1], func(q TrainingPoint) float64 { return 100 * q.Attacked }),
		line(loss, "", palette[6], func(q TrainingPoint) float64 { return q.Loss }))
	return accuracy, loss, err
}

// SaveTraining writes both; the ending of path (.png, .svg, .pdf) says how.
func SaveTraining(path string, t Training) error {
	accuracy, loss, err := TrainingCurves(t)
	if err != nil {
		return err
	}
	c, err := draw.NewFormattedCanvas(5.5*vg.Inch, 5*vg.Inch, strings.TrimPrefix(filepath.Ext(path), "."))
	if err != nil {
		return fmt.Errorf("figures: %s: %w", path, err)
	}
	page := draw.Crop(draw.New(c), 6, -14, 6, -6)
	tiles := draw.Tiles{Rows: 2, Cols: 1, PadY: vg.Points(8)}
	both := plot.Align([][]*plot.Plot{{accuracy}, {loss}}, tiles, page)
	accuracy.Draw(both[0][0])
	loss.Draw(both[1][0])
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = c.WriteTo(f)
	return errors.Join(err, f.Close())
}
