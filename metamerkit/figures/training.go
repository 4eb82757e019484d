package figures

import (
	"fmt"
	"image/color"

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
func TrainingCurves(t Training) (*Figure, error) {
	if len(t.Points) == 0 {
		return nil, fmt.Errorf("figures: training of %s has no points", t.Name)
	}
	accuracy, loss := trainingPlot(t), trainingPlot(t)
	accuracy.Title.Text = t.Name
	accuracy.Y.Label.Text, loss.Y.Label.Text, loss.X.Label.Text = "accuracy, %", "training loss", "epoch"
	accuracy.Y.Min, accuracy.Y.Max, loss.Y.Min = 0, 100, 0
	var entries []entry
	for _, l := range []struct {
		plot  *plot.Plot
		name  string // of the legend, "" for none
		color color.Color
		value func(TrainingPoint) float64
	}{
		{accuracy, "trained on", palette[6], func(q TrainingPoint) float64 { return 100 * q.Accuracy }},
		{accuracy, "held out", palette[0], func(q TrainingPoint) float64 { return 100 * q.HeldOut }},
		{accuracy, "held out, PGD-10", palette[1], func(q TrainingPoint) float64 { return 100 * q.Attacked }},
		{loss, "", palette[6], func(q TrainingPoint) float64 { return q.Loss }},
	} {
		var xy plotter.XYs
		for _, q := range t.Points {
			if v := l.value(q); v >= 0 {
				xy = append(xy, plotter.XY{X: float64(q.Epoch), Y: v})
			}
		}
		if len(xy) == 0 {
			continue
		}
		line, points, err := plotter.NewLinePoints(xy)
		if err != nil {
			return nil, fmt.Errorf("figures: training of %s: %w", t.Name, err)
		}
		line.LineStyle = draw.LineStyle{Color: l.color, Width: vg.Points(1.2)}
		points.GlyphStyle = draw.GlyphStyle{Color: l.color, Radius: vg.Points(1.6), Shape: draw.CircleGlyph{}}
		l.plot.Add(line, points)
		if l.name != "" {
			entries = append(entries, entry{l.name, line.LineStyle, points.Shape})
		}
	}
	return &Figure{
		Name: "training", Title: "Training of " + t.Name,
		Caption: "Accuracy and loss at the end of each epoch: of the images trained on (as they were seen, augmented or attacked), of held-out images, and of held-out images under PGD-10.",
		Width:   5.5 * vg.Inch, Height: 5 * vg.Inch,
		draw: func(c draw.Canvas) {
			x := c.Min.X + 12
			for _, e := range entries {
				x = legend(c, vg.Point{X: x, Y: c.Min.Y + 10}, e, legendText) + 16
			}
			both := plot.Align([][]*plot.Plot{{accuracy}, {loss}}, draw.Tiles{Rows: 2, Cols: 1, PadY: vg.Points(8)}, draw.Crop(c, 6, -14, 24, -6))
			accuracy.Draw(both[0][0])
			loss.Draw(both[1][0])
		},
	}, nil
}

// trainingPlot is an empty plot over t's epochs.
func trainingPlot(t Training) *plot.Plot {
	p := plot.New()
	p.X.Padding, p.Y.Padding = vg.Points(4), vg.Points(4)
	p.X.Min, p.X.Max = 0, float64(t.Points[len(t.Points)-1].Epoch)
	for _, st := range []*text.Style{&p.Title.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label} {
		st.Font.Variant = "Sans"
	}
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.Gray{225}, color.Gray{225}
	p.Add(grid)
	return p
}
