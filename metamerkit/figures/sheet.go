// Package figures draws figures and tables from rows and runs. It links no GoMLX.
package figures

import (
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"strings"

	"codeberg.org/go-fonts/liberation/liberationsansbold"
	"codeberg.org/go-fonts/liberation/liberationsansregular"
	xdraw "golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
)

// Mark is the verdict on a metamer.
type Mark int

// The marks: a filled disc passes, an open ring fails, a bar is not tested, so that they
// are told apart without colour too.
const (
	NoMark Mark = iota
	Pass
	Fail
	NotTested
	Apart    // of a run against other models, drawn as Pass
	NotApart // as Fail
)

// legends explain the marks.
var legends = []string{Pass: "metamer for every member", Fail: "not a metamer for at least one member", NotTested: "not tested",
	Apart: "metamer for every member and for none of the models against", NotApart: "metamer not for every member, or for one of the models against"}

// Row is one row of a contact sheet.
type Row struct {
	Label, Sub string    // Sub stands smaller under Label, which is broken where it is long
	Pixels     []float32 // [n,Size,Size,3] in [0,1]
	Marks      []Mark    // one an image, or none
	Notes      []string  // below each image, or none
}

// Sheet is a contact sheet: the reference images above, a row for each model set
// and stage below.
type Sheet struct {
	Title   string
	Columns []string // above each image
	Size    int      // pixels a side of the images
	Rows    []Row
	PerLine int    // images side by side before a new block begins; 0: 16 small ones, 6 of 160 pixels
	Notes   string // what the notes are; "": those of metamers
}

const (
	legendNotes = "below: relative L2 distance for each member"

	margin  = 16
	gap     = 4
	textPx  = 14
	smallPx = 11

	lineHeight = 17
	noteHeight = 13
	widest     = 16 * (64 + gap) // pixels that images take side by side
	labelWidth = 210             // pixels that a row's label takes on a line, if it can be broken
)

// Render draws the sheet. Small images are enlarged without smoothing, so that
// their pixels can be seen; large ones are reduced.
func (s Sheet) Render() (image.Image, error) {
	n := len(s.Columns)
	per := s.Size * s.Size * 3
	for _, r := range s.Rows {
		if len(r.Pixels) != n*per || len(r.Marks) != 0 && len(r.Marks) != n || len(r.Notes) != 0 && len(r.Notes) != n {
			return nil, fmt.Errorf("figures: row %q has %d values, %d marks and %d notes, expected %d images of %d²", r.Label, len(r.Pixels), len(r.Marks), len(r.Notes), n, s.Size)
		}
	}
	if n == 0 || len(s.Rows) == 0 || s.Size < 1 || s.PerLine < 0 {
		return nil, fmt.Errorf("figures: a contact sheet of %d rows and %d columns of %d² pixels, %d a line", len(s.Rows), n, s.Size, s.PerLine)
	}
	regular, small, bold := face(liberationsansregular.TTF, textPx), face(liberationsansregular.TTF, smallPx), face(liberationsansbold.TTF, textPx+3)
	cell := s.Size
	for cell < 64 {
		cell += s.Size
	}
	cell = min(cell, 160)
	line := s.PerLine
	if line == 0 {
		line = max(widest/(cell+gap), 1)
	}
	line = min(line, n)
	labels := make([][]string, len(s.Rows))
	left := margin
	shown := map[Mark]bool{} // in the legend
	noted := false
	tops, below := make([]int, len(s.Rows)), 0 // of each row, from the first one's
	for k, r := range s.Rows {
		labels[k] = broken(regular, r.Label, cell/lineHeight-1)
		left = max(left, margin+width(small, r.Sub)+12)
		for _, part := range labels[k] {
			left = max(left, margin+width(regular, part)+12)
		}
		for _, k := range r.Marks {
			shown[k] = true
		}
		tops[k], below = below, below+cell+gap
		if len(r.Notes) > 0 {
			noted, below = true, below+noteHeight
		}
	}
	delete(shown, NoMark)
	blocks := (n + line - 1) / line
	head := 22
	blockHeight := head + below + 12
	w := max(left+line*(cell+gap)+margin, margin*2+width(bold, s.Title))
	h := margin + 30 + blocks*blockHeight + margin
	legend := s.legend(shown, noted, small)
	if legend != nil {
		h += 24
		w = max(w, legend(nil, 0)+margin)
	}
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(m, m.Bounds(), image.White, image.Point{}, draw.Src)
	label(m, bold, margin, margin+16, s.Title, ink)
	for b := range blocks {
		top := margin + 30 + b*blockHeight
		for c := range min(line, n-b*line) {
			i := b*line + c
			x := left + c*(cell+gap)
			label(m, small, x, top+head-8, clip(small, s.Columns[i], cell), ink)
			for k, r := range s.Rows {
				y := top + head + tops[k]
				src := images.ToImage(r.Pixels[i*per:(i+1)*per], s.Size)
				var scaler xdraw.Interpolator = xdraw.NearestNeighbor
				if cell < s.Size {
					scaler = xdraw.CatmullRom
				}
				scaler.Scale(m, image.Rect(x, y, x+cell, y+cell), src, src.Bounds(), draw.Src, nil)
				if len(r.Marks) > 0 {
					mark(m, x+cell-9, y+cell-9, r.Marks[i])
				}
				if len(r.Notes) > 0 {
					note := clip(small, r.Notes[i], cell)
					label(m, small, x+(cell-width(small, note))/2, y+cell+noteHeight-2, note, grey)
				}
			}
		}
		for k, r := range s.Rows {
			y := top + head + tops[k] + cell/2 - (len(labels[k])-1)*lineHeight/2
			for _, part := range labels[k] {
				label(m, regular, margin, y, part, ink)
				y += lineHeight
			}
			label(m, small, margin, y-lineHeight+15, r.Sub, grey)
		}
	}
	if legend != nil {
		legend(m, h-margin-6)
	}
	return m, nil
}

// legend draws the explanation of the marks and notes of a sheet at a baseline and
// returns where it ends; without an image it only measures. It is nil if there is nothing
// to explain.
func (s Sheet) legend(shown map[Mark]bool, noted bool, f font.Face) func(m draw.Image, y int) int {
	if len(shown) == 0 && !noted {
		return nil
	}
	return func(m draw.Image, y int) int {
		x := margin
		text := func(s string) {
			if m != nil {
				label(m, f, x, y, s, grey)
			}
			x += width(f, s) + 16
		}
		for k, words := range legends {
			if shown[Mark(k)] {
				if m != nil {
					mark(m, x+6, y-4, Mark(k))
				}
				x += 18
				text(words)
			}
		}
		if noted {
			words := cmp.Or(s.Notes, legendNotes)
			if shown[Apart] || shown[NotApart] {
				words = "below: largest relative L2 distance of a member | smallest of a model against"
			}
			text(words)
		}
		return x - 16
	}
}

// broken breaks a label into lines of labelWidth, at spaces and behind dots, but into at
// most so many.
func broken(f font.Face, text string, most int) (lines []string) {
	const may = "\x00" // a line may end here
	line := ""
	for piece := range strings.SplitSeq(strings.NewReplacer(" ", " "+may, ".", "."+may).Replace(text), may) {
		if line != "" && width(f, strings.TrimSpace(line+piece)) > labelWidth && len(lines) < most-1 {
			lines, line = append(lines, strings.TrimSpace(line)), ""
		}
		line += piece
	}
	return append(lines, strings.TrimSpace(line))
}

var (
	ink    = color.RGBA{20, 20, 20, 255}
	grey   = color.RGBA{95, 95, 95, 255}
	green  = color.RGBA{0, 158, 115, 255} // of the Okabe-Ito palette
	orange = color.RGBA{213, 94, 0, 255}
)

func face(ttf []byte, px float64) font.Face {
	f, err := opentype.Parse(ttf)
	if err != nil {
		panic("figures: " + err.Error())
	}
	fc, err := opentype.NewFace(f, &opentype.FaceOptions{Size: px, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		panic("figures: " + err.Error())
	}
	return fc
}

func width(f font.Face, s string) int { return font.MeasureString(f, s).Ceil() }

// label draws s with its baseline at y.
func label(m draw.Image, f font.Face, x, y int, s string, c color.Color) {
	d := font.Drawer{Dst: m, Src: image.NewUniform(c), Face: f, Dot: fixed.P(x, y)}
	d.DrawString(s)
}

// clip shortens s to the width of a cell.
func clip(f font.Face, s string, w int) string {
	r := []rune(s)
	for n := len(r); width(f, s) > w && n > 1; n-- {
		s = string(r[:n-1]) + "…"
	}
	return s
}

// mark draws a disc, a ring or a bar on white, around x, y.
func mark(m draw.Image, x, y int, k Mark) {
	if k == NoMark {
		return
	}
	for dy := -7; dy <= 7; dy++ {
		for dx := -7; dx <= 7; dx++ {
			switch d := dx*dx + dy*dy; {
			case d > 49:
			case d > 36:
				m.Set(x+dx, y+dy, color.White)
			case k == Pass || k == Apart:
				m.Set(x+dx, y+dy, green)
			case k == NotTested:
				m.Set(x+dx, y+dy, color.White)
				if max(dy, -dy) <= 1 && max(dx, -dx) <= 4 {
					m.Set(x+dx, y+dy, grey)
				}
			case d > 12:
				m.Set(x+dx, y+dy, orange)
			default:
				m.Set(x+dx, y+dy, color.White)
			}
		}
	}
}
