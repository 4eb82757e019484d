package display_test

import (
	"bytes"
	"image/png"
	"strings"
	"testing"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"

	"github.com/ensemble-metamers/metamers/metamerkit/display"
)

// A plot of gonum is recognized, drawn as SVG and as PNG.
func TestGonum(t *testing.T) {
	p := plot.New()
	p.Title.Text = "Loss"
	line, err := plotter.NewLine(plotter.XYs{{X: 0, Y: 1}, {X: 1, Y: 0.5}})
	if err != nil {
		t.Fatal(err)
	}
	p.Add(line)
	b, err := display.Bundle(p)
	if err != nil {
		t.Fatal(err)
	}
	if s := string(b["image/svg+xml"]); !strings.Contains(s, "<svg ") || !strings.Contains(s, ">Loss</text>") {
		t.Errorf("%.300s", s)
	}
	if c, err := png.DecodeConfig(bytes.NewReader(b["image/png"])); err != nil || c.Width != 576 || c.Height != 384 {
		t.Errorf("%+v %v", c, err)
	}
	p.Y.Scale = plot.LogScale{}
	p.Y.Min = -1
	if _, err := display.Bundle(p); err == nil || !strings.Contains(err.Error(), "log scale") {
		t.Errorf("a logarithmic axis from -1: %v", err)
	}
}
