package figures

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"

	"github.com/dustin/go-humanize/english"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Overview draws Figure 1: how a metamer is made (left), how it is evaluated (middle),
// and examples from a run (right), by preference one of a CNN ensemble at Late.
func Overview(s *Study, refs *images.Set, run *metamer.Run) (*Figure, error) {
	n := refs.Len()
	if n == 0 || run.Recipe.Images.Count != n || run.Recipe.Images.Size != refs.Size || len(run.Start) != len(run.Metamers) {
		return nil, fmt.Errorf("figures: overview of run %s: its images are not the %d references of %d²", run.ID, n, refs.Size)
	}
	o := &overview{study: s, refs: refs, run: run}
	what, until := "ensemble metamers", "every member of the model set has"
	if len(run.Recipe.Models) == 1 {
		what, until = "metamers", "the model has"
	}
	return &Figure{
		Name: "figure1", Title: strings.ToUpper(what[:1]) + what[1:],
		Caption: s.caption(fmt.Sprintf("How %s are made and evaluated. Left: starting from %s, gradient steps change the image until %s the reference's activations at one stage%s. Middle: %s. Right: examples at %s for {%s}, with the relative L2 distance of their activations%s.", what, beginning(run), until, after("; ", turns(run)), s.evaluated(), title(run.Recipe.Stage), s.Label(run.Recipe.ModelNames()), largest(run))),
		Width:   560, Height: 236, draw: o.draw,
	}, nil
}

type overview struct {
	study *Study
	refs  *images.Set
	run   *metamer.Run
}

var (
	boxFill = color.RGBA{238, 244, 249, 255}
	boxLine = draw.LineStyle{Color: color.RGBA{120, 150, 175, 255}, Width: 0.7}
	flow    = draw.LineStyle{Color: color.Gray{70}, Width: 0.8}
	back    = draw.LineStyle{Color: orange, Width: 0.9}
	boxText = style(fontSmall, false, ink, text.XCenter, text.YCenter)
	boxHead = style(fontHead, true, ink, text.XLeft, text.YBottom)
)

func (o *overview) draw(c draw.Canvas) {
	at := func(x, y vg.Length) vg.Point { return vg.Point{X: c.Min.X + x, Y: c.Max.Y - y} }
	c.FillText(boxHead, at(10, 20), "a  Synthesis")
	c.FillText(boxHead, at(262, 20), "b  Evaluation")
	c.FillText(boxHead, at(430, 20), "c  "+title(o.run.Recipe.Stage)+" metamers")
	o.synthesis(c, at)
	o.evaluation(c, at)
	o.examples(c, at)
}

// first is an example that is a metamer, if any is.
func (o *overview) first() int {
	for i, k := range marks(o.run) {
		if k == Pass {
			return i
		}
	}
	return 0
}

func (o *overview) synthesis(c draw.Canvas, at func(x, y vg.Length) vg.Point) {
	per := o.refs.Size * o.refs.Size * 3
	i := o.first()
	caption := style(fontSmall, false, ink, text.XCenter, text.YTop)
	picture(c, o.refs.Image(i), o.refs.Size, at(12, 82), 50)
	c.FillText(caption, at(37, 85), "reference x")
	picture(c, o.run.Metamers[i*per:(i+1)*per], o.refs.Size, at(12, 176), 50)
	c.FillText(caption, at(37, 179), "metamer x′")
	picture(c, o.run.Start[i*per:(i+1)*per], o.refs.Size, at(12, 227), 26)
	c.FillText(style(fontSmall, false, axisInk, text.XLeft, text.YCenter), at(42, 214), "initial image: "+beginning(o.run))
	// The members, each read at one stage.
	names := o.run.Recipe.ModelNames()
	shown := names[:min(3, len(names))]
	h := vg.Length(26)
	y0 := 104 - vg.Length(len(shown))*(h+6)/2
	for k, n := range shown {
		y := y0 + vg.Length(k)*(h+6)
		head, tag, tagged := strings.Cut(n, ".")
		lines := []string{head}
		if tagged {
			lines = append(lines, "."+tag)
		}
		box(c, at(100, y+h), 78, h, lines...)
		mid := y + h/2
		arrow(c, flow, at(64, 57), at(99, mid))
		arrow(c, flow, at(64, 151), at(99, mid))
		arrow(c, flow, at(178, mid), at(199, 104))
	}
	if len(names) > len(shown) {
		c.FillText(boxText, at(139, y0+vg.Length(len(shown))*(h+6)+4), fmt.Sprintf("and %d more", len(names)-len(shown)))
	}
	box(c, at(200, 118), 48, 28, "loss", distanceSign(o.run.Recipe.Loss))
	// The gradient goes back to the pixels.
	c.StrokeLines(back, []vg.Point{at(224, 118), at(224, 165)})
	arrow(c, back, at(224, 165), at(64, 165))
	st := style(fontSmall, false, orange, text.XCenter, text.YTop)
	step, members := "gradient step, clamp to [0,1]", turns(o.run)
	if members != "" {
		step += ";"
	}
	c.FillText(st, at(146, 169), step)
	c.FillText(st, at(146, 178), members)
}

// turns says how the members of an ensemble take turns, "" for one model.
func turns(run *metamer.Run) string {
	r := run.Recipe.WithDefaults()
	switch {
	case len(r.Models) == 1:
		return ""
	case r.Schedule.Kind == metamer.Average:
		return "all members at each step"
	}
	return "the active member switches"
}

// largest says which of the members' distances an image of an ensemble is shown with.
func largest(run *metamer.Run) string {
	if len(run.Recipe.Models) == 1 {
		return ""
	}
	return ", the largest of the members"
}

// distanceSign is a loss in signs.
func distanceSign(loss string) string {
	switch loss {
	case "cosine":
		return "1−cos(F(x′),F(x))"
	case "correlation":
		return "1−r(F(x′),F(x))"
	}
	return "‖F(x′)−F(x)‖"
}

// beginning names the initial image.
func beginning(run *metamer.Run) string {
	switch kind := run.Recipe.WithDefaults().Start.Kind; kind {
	case "reference":
		return "the reference"
	case "image":
		return "a given image"
	case "uniform":
		return "uniform noise"
	default:
		return kind
	}
}

// evaluation is a kind of measures as Figure 1 shows it.
type evaluation struct {
	what string
	box  []string
}

// evaluations are the kinds that the study has values of.
func (s *Study) evaluations() (out []evaluation) {
	metrics := map[string]bool{}
	for _, m := range Metrics {
		metrics[m.Name] = true
	}
	for _, e := range []struct {
		evaluation
		of func(metamer.Row) bool
	}{
		{evaluation{"recognizability by observers", []string{"Recognizability", "does an observer give", "x′ the class of x?"}}, func(r metamer.Row) bool { return r.Measure == metamer.Recognizability }},
		{evaluation{"image metrics", []string{"Image metrics", "how natural is x′?", "(noise, NIQE, spectrum …)"}}, func(r metamer.Row) bool { return metrics[r.Measure] && r.Observer == "" }},
		{evaluation{"similarity distributions", []string{"Similarity distributions", "do images relate to each", "other as before? (JSD)"}}, func(r metamer.Row) bool { return r.Measure == metamer.JSD && r.Withheld() == "" }},
	} {
		if slices.ContainsFunc(s.Rows, func(r metamer.Row) bool { return r.Set != "" && r.Image < 0 && !math.IsNaN(r.Value) && e.of(r) }) {
			out = append(out, e.evaluation)
		}
	}
	return out
}

// evaluated says in words what was measured of the metamers.
func (s *Study) evaluated() string {
	var what []string
	for _, e := range s.evaluations() {
		what = append(what, e.what)
	}
	if what == nil {
		return "nothing was measured of the metamers beside how well they match"
	}
	return "what was measured of the metamers, " + english.WordSeries(what, "and")
}

// after is s behind a mark, "" for an empty s.
func after(mark, s string) string {
	if s == "" {
		return ""
	}
	return mark + s
}

func (o *overview) evaluation(c draw.Canvas, at func(x, y vg.Length) vg.Point) {
	for k, e := range o.study.evaluations() {
		b := e.box
		y := 34 + vg.Length(k)*64
		rectangle(c, vg.Rectangle{Min: at(268, y+54), Max: at(404, y)}, boxFill, boxLine)
		c.FillText(style(fontText, true, ink, text.XCenter, text.YCenter), at(336, y+13), b[0])
		c.FillText(boxText, at(336, y+28), b[1])
		c.FillText(boxText, at(336, y+39), b[2])
	}
}

func (o *overview) examples(c draw.Canvas, at func(x, y vg.Length) vg.Point) {
	per := o.refs.Size * o.refs.Size * 3
	head := style(fontSmall, false, axisInk, text.XCenter, text.YBottom)
	c.FillText(head, at(463, 34), "reference")
	c.FillText(head, at(517, 34), "metamer")
	shown, each := 0, max(o.refs.Copies, 1)
	taken := map[int]bool{} // references: of variants one is shown
	verdicts, distances := marks(o.run), distances(o.run)
	// Metamers first; where there are too few, the others, marked as such.
	for _, want := range []Mark{Pass, NotTested, Fail} {
		for i := range o.refs.Len() {
			if verdicts[i] != want || shown == 4 || taken[i/each] {
				continue
			}
			taken[i/each] = true
			y := 84 + vg.Length(shown)*47
			picture(c, o.refs.Image(i), o.refs.Size, at(441, y), 44)
			picture(c, o.run.Metamers[i*per:(i+1)*per], o.refs.Size, at(495, y), 44)
			verdict(c, at(547, y-16), verdicts[i])
			if of := distances[i]; len(of) > 0 {
				c.FillText(distanceText, at(547, y-9), short(slices.Max(of)))
			}
			shown++
		}
	}
}

// box is a name in a frame, as large as it fits, with a smaller line below.
func box(c draw.Canvas, min vg.Point, w, h vg.Length, lines ...string) {
	rectangle(c, vg.Rectangle{Min: min, Max: vg.Point{X: min.X + w, Y: min.Y + h}}, boxFill, boxLine)
	y := min.Y + h/2 + vg.Length(len(lines)-1)*4.5
	for i, l := range lines {
		st := boxText
		if i > 0 {
			st = style(fontSmall-1, false, axisInk, text.XCenter, text.YCenter)
		}
		for st.Width(l) > w-6 {
			st.Font.Size *= 0.95
		}
		c.FillText(st, vg.Point{X: min.X + w/2, Y: y}, l)
		y -= 9
	}
}

func arrow(c draw.Canvas, st draw.LineStyle, from, to vg.Point) {
	c.StrokeLine2(st, from.X, from.Y, to.X, to.Y)
	a := math.Atan2(float64(to.Y-from.Y), float64(to.X-from.X))
	wing := func(turn float64) vg.Point {
		return vg.Point{X: to.X - vg.Length(5*math.Cos(a+turn)), Y: to.Y - vg.Length(5*math.Sin(a+turn))}
	}
	c.FillPolygon(st.Color, []vg.Point{to, wing(0.4), wing(-0.4)})
}
