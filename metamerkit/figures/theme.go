package figures

import (
	"image/color"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	xfont "golang.org/x/image/font"
)

// The theme: one typeface, three sizes, and the colours of Okabe and Ito, which
// people with any colour vision tell apart.
const (
	fontText  vg.Length = 8
	fontSmall vg.Length = 7
	fontHead  vg.Length = 9
)

var (
	white   = color.White
	gridInk = color.Gray{228}
	axisInk = color.Gray{90}
	// shapes tell lines apart without colour; the filled ones are members.
	filled = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}}
	hollow = []draw.GlyphDrawer{draw.RingGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{}}
)

// style is a text style of the theme.
func style(size vg.Length, bold bool, c color.Color, x text.XAlignment, y text.YAlignment) text.Style {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
	if bold {
		f.Weight = xfont.WeightBold
	}
	return text.Style{Color: c, Font: f, XAlign: x, YAlign: y, Handler: plot.DefaultTextHandler}
}

// themed is an empty plot in the theme's dress.
func themed(title string) *plot.Plot {
	p := plot.New()
	p.Title.Text = title
	p.Title.Padding = 5
	p.Title.TextStyle = style(fontText, true, ink, text.XCenter, text.YTop)
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle.Font.Size, a.Label.TextStyle.Font.Variant = fontText, "Sans"
		a.Tick.Label.Font.Size, a.Tick.Label.Font.Variant = fontSmall, "Sans"
		a.LineStyle.Color, a.Tick.LineStyle.Color = axisInk, axisInk
		a.LineStyle.Width, a.Tick.LineStyle.Width, a.Tick.Length = 0.5, 0.5, 3
		a.Padding = 3
	}
	return p
}

// withGrid adds horizontal lines, or vertical ones.
func withGrid(p *plot.Plot, vertical bool) {
	g := plotter.NewGrid()
	g.Vertical.Color, g.Horizontal.Color = gridInk, gridInk
	g.Vertical.Width, g.Horizontal.Width = 0.5, 0.5
	if vertical {
		g.Horizontal.Color = nil
	} else {
		g.Vertical.Color = nil
	}
	p.Add(g)
}

// category is an axis with names at 0, 1, 2, …, without ticks, which would touch them.
func category(a *plot.Axis, names []string) {
	ticks := make(plot.ConstantTicks, len(names))
	for i, n := range names {
		ticks[i] = plot.Tick{Value: float64(i), Label: n}
	}
	a.Tick.Marker, a.Tick.LineStyle.Width = ticks, 0
	a.Min, a.Max = -0.35, float64(len(names))-0.65
}

// wrap breaks a text at blanks into lines no wider than w, and a model's name that is
// wider before the point of its tag.
func wrap(st text.Style, s string, w vg.Length) []string {
	var lines, words []string
	for _, word := range strings.Fields(s) {
		if i := strings.Index(word, "."); i > 0 && st.Width(word) > w {
			words = append(words, word[:i])
			word = word[i:]
		}
		words = append(words, word)
	}
	line := ""
	for _, word := range words {
		joined := strings.TrimSpace(line + " " + word)
		if line != "" && st.Width(joined) > w {
			lines = append(lines, line)
			joined = word
		}
		line = joined
	}
	return append(lines, line)
}

// rectangle fills and strokes a box; a nil fill or a zero width leaves that out.
func rectangle(c draw.Canvas, r vg.Rectangle, fill color.Color, line draw.LineStyle) {
	pts := []vg.Point{r.Min, {X: r.Max.X, Y: r.Min.Y}, r.Max, {X: r.Min.X, Y: r.Max.Y}}
	if fill != nil {
		c.FillPolygon(fill, pts)
	}
	if line.Width > 0 {
		c.StrokeLines(line, append(pts, pts[0], pts[1]))
	}
}
