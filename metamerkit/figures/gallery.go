package figures

import (
	"fmt"
	"image/color"
	"slices"
	"strings"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Gallery draws Figure 2: metamers of a few reference images for several model
// sets, a block a stage. Runs must be of the references; which are the images'
// indices, nil for the first four; of several variants of an image the first is shown. A disc says that the image is a metamer for
// every member, a ring that it is not, a bar that this is not tested; beside it stands the
// largest relative L2 distance of a member.
func Gallery(s *Study, refs *images.Set, which []int, runs ...*metamer.Run) (*Figure, error) {
	g := &gallery{study: s, refs: refs, which: which, runs: map[string]*metamer.Run{}, marks: map[*metamer.Run][]Mark{}, distances: map[*metamer.Run][][]float64{}}
	each := max(refs.Copies, 1)
	n := refs.Len() / each
	if g.which == nil {
		for i := range min(4, n) {
			g.which = append(g.which, i)
		}
	}
	g.which = slices.Clone(g.which)
	for k, i := range g.which {
		if i < 0 || i >= n {
			return nil, fmt.Errorf("figures: gallery of image %d, the set %s has %d", i, refs.Name, n)
		}
		g.which[k] = i * each // the first variant
	}
	var sets [][]string
	seen, stages := map[string]bool{}, map[string]bool{}
	for _, r := range runs {
		if r.Recipe.Images.Count != refs.Len() || r.Recipe.Images.Size != refs.Size {
			return nil, fmt.Errorf("figures: run %s has %d images of %d², the references are %d of %d²", r.ID, r.Recipe.Images.Count, r.Recipe.Images.Size, refs.Len(), refs.Size)
		}
		name := SetName(r.Recipe.ModelNames())
		g.runs[name+"@"+r.Recipe.Stage] = r
		g.marks[r], g.distances[r] = marks(r), distances(r)
		if !seen[name] {
			sets = append(sets, r.Recipe.ModelNames())
		}
		seen[name], stages[r.Recipe.Stage] = true, true
		if !contains(metamer.Stages, r.Recipe.Stage) && !contains(g.stages, r.Recipe.Stage) {
			g.stages = append(g.stages, r.Recipe.Stage)
		}
	}
	for i := len(metamer.Stages) - 1; i >= 0; i-- {
		if stages[metamer.Stages[i]] {
			g.stages = append([]string{metamer.Stages[i]}, g.stages...)
		}
	}
	if err := need(len(sets) > 0 && len(g.which) > 0, "the gallery", "run"); err != nil {
		return nil, err
	}
	ordered := Study{Sets: sets, Cards: s.Cards}
	g.sets = ordered.sets()
	g.lay()
	return &Figure{
		Name: "figure2", Title: "Metamers of single models and ensembles",
		Caption: s.caption("Metamers of the same reference images by model set (rows) and stage (blocks). " + g.legend() + "Below each stands the relative L2 distance of its activations, the largest of the members."),
		Width:   g.width, Height: g.height, draw: g.draw,
	}, nil
}

// legend explains those verdicts that are shown.
func (g *gallery) legend() string {
	shown := map[Mark]bool{}
	for _, marks := range g.marks {
		for _, i := range g.which {
			shown[marks[i]] = true
		}
	}
	var out []string
	for _, m := range []struct {
		mark Mark
		text string
	}{
		{Pass, "a disc marks a metamer for every member of the set"}, {Fail, "a ring marks an image that is no metamer for at least one member"}, {NotTested, "a bar marks an image that is not tested"},
	} {
		if shown[m.mark] {
			out = append(out, m.text)
		}
	}
	text := strings.Join(out, ", ")
	return strings.ToUpper(text[:1]) + text[1:] + ". "
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

type gallery struct {
	study         *Study
	refs          *images.Set
	which         []int
	sets          [][]string
	stages        []string
	runs          map[string]*metamer.Run // by set@stage
	labels        [][]string              // of each set, wrapped
	marks         map[*metamer.Run][]Mark
	distances     map[*metamer.Run][][]float64
	left          vg.Length
	width, height vg.Length
}

const (
	galleryCell vg.Length = 40
	galleryGap  vg.Length = 12
	galleryNote vg.Length = 7 // below a metamer
)

var galleryText = style(fontSmall, false, ink, text.XRight, text.YCenter)

func (g *gallery) lay() {
	for _, set := range g.sets {
		lines := wrap(galleryText, g.study.Label(set), 92)
		g.labels = append(g.labels, lines)
		for _, l := range lines {
			g.left = max(g.left, galleryText.Width(l)+14)
		}
	}
	g.left = max(g.left, 62)
	block := vg.Length(len(g.which))*(galleryCell+2) + galleryGap
	g.width = g.left + vg.Length(len(g.stages))*block
	g.height = 24 + galleryCell + 2 + vg.Length(len(g.sets))*(galleryCell+2+galleryNote) + 6 + 20
}

func (g *gallery) draw(c draw.Canvas) {
	head := style(fontText, true, ink, text.XCenter, text.YBottom)
	top := c.Max.Y - 20
	row := func(i int) vg.Length { // y of the lower edge; a little room below the references
		y := top - vg.Length(i+1)*(galleryCell+2)
		if i > 0 {
			y -= 6 + vg.Length(i-1)*galleryNote
		}
		return y
	}
	c.FillText(galleryText, vg.Point{X: c.Min.X + g.left - 6, Y: row(0) + galleryCell/2}, "reference")
	for i, lines := range g.labels {
		y := row(i+1) + galleryCell/2 + vg.Length(len(lines)-1)*4.5
		for _, l := range lines {
			c.FillText(galleryText, vg.Point{X: c.Min.X + g.left - 6, Y: y}, l)
			y -= 9
		}
	}
	none := style(fontSmall, false, axisInk, text.XCenter, text.YCenter)
	block := vg.Length(len(g.which))*(galleryCell+2) + galleryGap
	for k, st := range g.stages {
		x0 := c.Min.X + g.left + vg.Length(k)*block
		c.FillText(head, vg.Point{X: x0 + (block-galleryGap)/2, Y: top + 4}, title(st))
		for j, i := range g.which {
			x := x0 + vg.Length(j)*(galleryCell+2)
			picture(c, g.refs.Image(i), g.refs.Size, vg.Point{X: x, Y: row(0)}, galleryCell)
			for n, set := range g.sets {
				r := g.runs[SetName(set)+"@"+st]
				at := vg.Point{X: x, Y: row(n + 1)}
				if r == nil {
					c.FillText(none, vg.Point{X: x + galleryCell/2, Y: at.Y + galleryCell/2}, "–")
					continue
				}
				per := g.refs.Size * g.refs.Size * 3
				picture(c, r.Metamers[i*per:(i+1)*per], g.refs.Size, at, galleryCell)
				verdict(c, vg.Point{X: x + galleryCell - 5, Y: at.Y + 5}, g.marks[r][i])
				if of := g.distances[r][i]; len(of) > 0 {
					c.FillText(distanceText, vg.Point{X: x + galleryCell/2, Y: at.Y - 1}, short(slices.Max(of)))
				}
			}
		}
	}
	note := style(fontSmall, false, axisInk, text.XLeft, text.YCenter)
	x, y := c.Min.X+g.left, c.Min.Y+9
	shown := map[Mark]bool{}
	for _, r := range g.runs {
		for _, i := range g.which {
			shown[g.marks[r][i]] = true
		}
	}
	for k, words := range legends {
		if shown[Mark(k)] && x+16+note.Width(words) < c.Max.X {
			verdict(c, vg.Point{X: x + 4, Y: y}, Mark(k))
			c.FillText(note, vg.Point{X: x + 11, Y: y}, words)
			x += 11 + note.Width(words) + 14
		}
	}
}

// distanceText is that of relative L2 distances beside verdicts.
var distanceText = style(fontSmall-1.5, false, axisInk, text.XCenter, text.YTop)

// verdict draws a disc (pass), a ring (fail) or a bar (not tested) on white.
func verdict(c draw.Canvas, at vg.Point, k Mark) {
	glyph := func(ink color.Color, radius vg.Length) {
		c.DrawGlyph(draw.GlyphStyle{Color: ink, Radius: radius, Shape: draw.CircleGlyph{}}, at)
	}
	glyph(white, 4)
	switch k {
	case Pass:
		glyph(green, 3)
	case Fail:
		glyph(orange, 3)
		glyph(white, 1.6)
	case NotTested:
		c.StrokeLine2(draw.LineStyle{Color: axisInk, Width: 1.4}, at.X-2.4, at.Y, at.X+2.4, at.Y)
	}
}
