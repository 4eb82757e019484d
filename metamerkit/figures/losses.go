package figures

import (
	"fmt"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// lossPanel is the size of a panel of Losses.
const (
	lossWidth  = 210
	lossHeight = 150
)

// Losses plots the inversion loss of runs over their steps, a row a model set and a
// column a stage, all on the same axis of losses. Runs without a trace are left out.
func Losses(s *Study, runs ...*metamer.Run) (*Figure, error) {
	var stages []string
	for _, st := range s.stages() {
		for _, r := range runs {
			if r.Recipe.Stage == st {
				stages = append(stages, st)
				break
			}
		}
	}
	var rows [][]*plot.Plot
	low, high := 0.0, 0.0
	for _, set := range s.sets() {
		row, any := make([]*plot.Plot, len(stages)), false
		for j, st := range stages {
			for _, r := range runs {
				if SetName(r.Recipe.ModelNames()) != SetName(set) || r.Recipe.Stage != st || len(r.Trace.Step) == 0 {
					continue
				}
				p := themed("")
				if err := drawLoss(p, r, set); err != nil {
					return nil, err
				}
				p.Title.Text = title(st)
				if lines := wrap(p.Title.TextStyle, s.Label(set)+", "+st, lossWidth-50); len(lines) < 4 {
					p.Title.Text = strings.Join(lines, "\n")
				}
				p.Legend.TextStyle.Font.Size, p.Legend.ThumbnailWidth = fontSmall-1, 10
				p.X.Label.Text = "step"
				if low == 0 {
					low, high = p.Y.Min, p.Y.Max
				}
				low, high = min(low, p.Y.Min), max(high, p.Y.Max)
				row[j], any = p, true
				break
			}
		}
		if any {
			rows = append(rows, row)
		}
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("figures: losses: no run has a loss trace")
	}
	for _, row := range rows {
		for j, p := range row {
			if p == nil {
				continue
			}
			p.Y.Min, p.Y.Max = low, high
			if j == 0 {
				p.Y.Label.Text = "loss"
			}
		}
	}
	return &Figure{
		Name: "losses", Title: "Loss curves",
		Caption: s.caption("Inversion loss over the steps, a panel a model set and stage, a line a member: median over images, and the band from the 25th to the 75th percentile. All panels have the same axis of losses; the axis of steps ends with the run of the panel."),
		Width:   max(vg.Length(len(stages))*lossWidth, 270) + 12, Height: vg.Length(len(rows)) * lossHeight,
		draw: func(c draw.Canvas) {
			body := draw.Crop(c, 6, -10, 4, -6)
			drawAligned(rows, draw.Tiles{Rows: len(rows), Cols: len(stages), PadX: 12, PadY: 10}, body)
		},
	}, nil
}
