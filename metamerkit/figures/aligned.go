package figures

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// drawAligned draws plots in rows and columns and returns their canvases. The data areas are
// aligned, the titles of a row stand on one line, and each title is centred above its data area.
// A nil plot leaves its place empty.
func drawAligned(plots [][]*plot.Plot, tiles draw.Tiles, c draw.Canvas) [][]draw.Canvas {
	var first, others vg.Length // heights of the highest titles in the first row and in the others
	titles := make([][]string, len(plots))
	for i, row := range plots {
		titles[i] = make([]string, len(row))
		for j, p := range row {
			if p == nil {
				continue
			}
			// A plot would centre its title above the data area and the labels beside it.
			titles[i][j], p.Title.Text = p.Title.Text, ""
			if t := titles[i][j]; t != "" {
				height := p.Title.TextStyle.Height(t) + p.Title.Padding
				if i == 0 {
					first = max(first, height)
				} else {
					others = max(others, height)
				}
			}
		}
	}
	tiles.PadTop += first
	tiles.PadY += others
	canvases := plot.Align(plots, tiles, c)
	for i, row := range plots {
		top := c.Min.Y // upper edge of the row's plots
		for j, p := range row {
			if p != nil {
				p.Draw(canvases[i][j])
				top = max(top, canvases[i][j].Max.Y)
			}
		}
		for j, p := range row {
			if p == nil || titles[i][j] == "" {
				continue
			}
			data, style := p.DataCanvas(canvases[i][j]), p.Title.TextStyle
			style.XAlign, style.YAlign = text.XCenter, text.YBottom
			c.FillText(style, vg.Point{X: (data.Min.X + data.Max.X) / 2, Y: top + p.Title.Padding}, titles[i][j])
			p.Title.Text = titles[i][j]
		}
	}
	return canvases
}
