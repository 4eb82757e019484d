package figures

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgpdf"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// Figure is a drawing of fixed size that renders as PNG, SVG and PDF.
type Figure struct {
	Name          string // file name without an ending, such as figure3
	Title         string
	Caption       string // what is shown, in whole sentences
	Width, Height vg.Length

	draw func(c draw.Canvas)
}

// DPI is the resolution of a PNG where none is given: sharp on screens that have
// two pixels a point.
const DPI = 144

// PNG renders the figure with the given number of dots an inch (0: DPI).
func (f *Figure) PNG(dpi int) ([]byte, error) {
	if dpi == 0 {
		dpi = DPI
	}
	if dpi < 10 || dpi > 2400 {
		return nil, fmt.Errorf("figures: %s: %d dots an inch, expected 10 to 2400", f.Name, dpi)
	}
	c := vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(f.Width, f.Height), vgimg.UseDPI(dpi))}
	return f.render(c, draw.New(c))
}

// SVG renders the figure with its text as outlines: it looks the same in every
// viewer (matplotlib's default too) and has no text to select.
func (f *Figure) SVG() ([]byte, error) {
	c := vgsvg.NewWith(vgsvg.UseWH(f.Width, f.Height))
	data, err := f.render(c, draw.NewCanvas(outlined{c}, f.Width, f.Height))
	return rightKind(data), err
}

// PDF renders the figure as a page of its own size, its text as outlines.
func (f *Figure) PDF() ([]byte, error) {
	c := vgpdf.New(f.Width, f.Height)
	return f.render(c, draw.NewCanvas(outlined{upright{c}}, f.Width, f.Height))
}

// render draws and encodes. What a drawing library panics with comes back as an
// error.
func (f *Figure) render(c io.WriterTo, dc draw.Canvas) (data []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("figures: drawing %s: %v", f.Name, r)
		}
	}()
	dc.FillPolygon(white, []vg.Point{dc.Min, {X: dc.Max.X, Y: dc.Min.Y}, dc.Max, {X: dc.Min.X, Y: dc.Max.Y}})
	f.draw(dc)
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("figures: encoding %s: %w", f.Name, err)
	}
	return b.Bytes(), nil
}

// Encode renders the figure in a format: png, svg or pdf.
func (f *Figure) Encode(format string, dpi int) ([]byte, error) {
	switch format {
	case "png":
		return f.PNG(dpi)
	case "svg":
		return f.SVG()
	case "pdf":
		return f.PDF()
	}
	return nil, fmt.Errorf("figures: format %q of %s, expected png, svg or pdf", format, f.Name)
}

// Save writes the figure; the ending of path says the format. Nothing is left at
// path when that fails.
func (f *Figure) Save(path string, dpi int) error {
	data, err := f.Encode(strings.TrimPrefix(filepath.Ext(path), "."), dpi)
	if err != nil {
		return err
	}
	if err := paths.WriteBytes(path, data); err != nil {
		return fmt.Errorf("figures: %w", err)
	}
	return nil
}
