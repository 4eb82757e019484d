package figures

import (
	"golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"

	vgfont "gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

// outlined is a canvas that draws text as filled paths, so that it looks the same
// in every viewer. gonum's PDF canvas has no bold fonts and no letters beyond
// Windows-1252 (no arrows, no Greek); its SVG canvas would have to embed a whole
// font for each weight.
type outlined struct{ vg.Canvas }

// FillString draws one line of text with its origin at pt.
func (o outlined) FillString(f vgfont.Face, pt vg.Point, s string) {
	if f.Font.Size == 0 {
		return
	}
	var b sfnt.Buffer
	// In units of the font, which are integers, and scaled here.
	units := f.Face.UnitsPerEm()
	ppem := fixed.I(int(units))
	scale := f.Font.Size / vg.Length(units)
	x := pt.X
	var last sfnt.GlyphIndex
	for i, r := range s {
		g, err := f.Face.GlyphIndex(&b, r)
		if err != nil {
			panic(err)
		}
		if i > 0 {
			if k, err := f.Face.Kern(&b, last, g, ppem, font.HintingNone); err == nil {
				x += vg.Length(k) / 64 * scale
			}
		}
		last = g
		segments, err := f.Face.LoadGlyph(&b, g, ppem, nil)
		if err != nil {
			panic(err)
		}
		at := func(p fixed.Point26_6) vg.Point {
			return vg.Point{X: x + vg.Length(p.X)/64*scale, Y: pt.Y - vg.Length(p.Y)/64*scale}
		}
		var path vg.Path
		for _, seg := range segments {
			switch seg.Op {
			case sfnt.SegmentOpMoveTo:
				if len(path) > 0 {
					path.Close()
				}
				path.Move(at(seg.Args[0]))
			case sfnt.SegmentOpLineTo:
				path.Line(at(seg.Args[0]))
			case sfnt.SegmentOpQuadTo:
				path.QuadTo(at(seg.Args[0]), at(seg.Args[1]))
			case sfnt.SegmentOpCubeTo:
				path.CubeTo(at(seg.Args[0]), at(seg.Args[1]), at(seg.Args[2]))
			}
		}
		if len(path) > 0 {
			path.Close()
			o.Fill(path)
		}
		advance, err := f.Face.GlyphAdvance(&b, g, ppem, font.HintingNone)
		if err != nil {
			panic(err)
		}
		x += vg.Length(advance) / 64 * scale
	}
}
