package server

import (
	"encoding/base64"
	"fmt"
	"html"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/figures"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/study"
)

// live is the progress of one request: what a cell shows in one output, which is replaced
// in place, and a program outside a notebook as lines.
// Work that is over at once shows nothing.
//
// What takes long without a word, such as compilation, is shown too, with its time.
type live struct {
	refs  *images.Set
	in    bool // in a notebook
	say   func(api.Event)
	began time.Time
	loss  map[int][]point // by member
	shot  []byte          // the latest picture of emerging metamers

	mu    sync.Mutex
	last  time.Time // something was shown
	since time.Time // the phase began
	phase string    // what is under way when there is nothing to count
	done  float64   // how far all of it was then
	shown bool
	stop  chan struct{}
	over  chan struct{}
}

type point struct{ step, loss float64 }

const (
	quiet    = 120 * time.Millisecond // what is over sooner shows nothing
	every    = 150 * time.Millisecond
	textOnly = 5 * time.Second // outside a notebook
)

func newLive(refs *images.Set, notebook bool, say func(api.Event)) *live {
	now := time.Now()
	l := &live{refs: refs, in: notebook, say: say, began: now, since: now, phase: "waiting for the engine", loss: map[int][]point{}, stop: make(chan struct{}), over: make(chan struct{})}
	go l.watch()
	return l
}

// phases are what is under way when there is nothing to count, by metamer.Progress's.
var phases = map[metamer.Phase]string{metamer.Compiling: "loading and compiling", metamer.Starting: "compiling", metamer.Matching: "computing match statistics"}

// watch shows the phase under way when it is new, and when nothing else was shown for a
// second.
func (l *live) watch() {
	defer close(l.over)
	tick := time.NewTicker(quiet)
	defer tick.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-tick.C:
		}
		l.mu.Lock()
		if l.phase != "" && (l.since.After(l.last) || time.Since(l.last) > time.Second) && l.due() {
			text := l.phase
			if d := time.Since(l.since).Round(time.Second); d > 0 {
				text += ", " + d.String()
			}
			page := `<div style="font:13px sans-serif"><progress style="width:18em"></progress> ` + html.EscapeString(text) + `</div>`
			if l.done > 0 {
				page = bar(text, l.done)
			}
			l.show(text, page)
		}
		l.mu.Unlock()
	}
}

// enter says what is under way when there is nothing to count: "" when there is.
func (l *live) enter(phase string) {
	if l.phase != phase {
		l.phase, l.since = phase, time.Now()
	}
}

// due says whether it is time to show something.
func (l *live) due() bool {
	gap := every
	if !l.in {
		gap = textOnly
	}
	if time.Since(l.began) < quiet || time.Since(l.last) < gap {
		return false
	}
	l.last = time.Now()
	return true
}

// show replaces what is shown.
func (l *live) show(text, page string) {
	l.shown = true
	l.say(api.Event{Shown: &api.Shown{Text: text, HTML: page}})
}

// bar is a progress element with what stands beside it.
func bar(what string, done float64, rest ...string) string {
	parts := append([]string{html.EscapeString(what)}, rest...)
	return fmt.Sprintf(`<div style="font:13px sans-serif"><progress value="%.4f" max="1" style="width:18em"></progress> %3.0f %% %s</div>`, done, 100*done, strings.Join(parts, " · "))
}

func remaining(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	return d.Round(time.Second).String() + " left"
}

// plan shows how far a plan is.
func (l *live) plan(s study.Progress) {
	phase, found := phases[s.Phase]
	if !found {
		l.part(s.What, s.Done, s.Left)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done = s.Done
	l.enter(s.What + ": " + phase)
}

// part shows how far something is.
func (l *live) part(what string, done float64, left time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.enter("")
	if !l.due() {
		return
	}
	var rest []string
	if r := remaining(left); r != "" {
		rest = append(rest, r)
	}
	l.show(strings.TrimSpace(fmt.Sprintf("%.0f %% %s %s", 100*done, what, remaining(left))), bar(what, done, rest...))
}

// synthesis returns what shows the progress of a recipe.
func (l *live) synthesis(r metamer.Recipe) func(metamer.Progress) {
	members := r.TappedNames()
	var first time.Time
	from := 0.0
	return func(p metamer.Progress) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if p.Phase != metamer.Stepping {
			l.enter(phases[p.Phase])
			return
		}
		l.enter("")
		for m, v := range p.Loss {
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				l.loss[m] = append(l.loss[m], point{float64(p.Step), v})
			}
		}
		if p.Preview != nil && l.refs != nil {
			l.shot = l.picture(p)
		}
		done := p.Share()
		if first.IsZero() {
			first, from = time.Now(), done
		}
		if !l.due() {
			return
		}
		var left time.Duration
		if done > from {
			left = time.Duration(float64(time.Since(first)) / (done - from) * (1 - done))
		}
		var losses []string
		for m, v := range p.Loss {
			if !math.IsNaN(v) {
				losses = append(losses, fmt.Sprintf("%s %#.3g", members[m], v))
			}
		}
		what := fmt.Sprintf("%s, step %d of %d", r.Stage, p.Step, p.Steps)
		if p.Evaluations != p.Step {
			what += fmt.Sprintf(" (%d evaluations)", p.Evaluations)
		}
		rest := append([]string{"loss " + html.EscapeString(strings.Join(losses, ", "))}, remaining(left))
		page := bar(what, done, rest...) + l.curve(p.Steps)
		if l.shot != nil {
			page += `<img style="image-rendering:pixelated;max-width:100%" src="data:image/png;base64,` + base64.StdEncoding.EncodeToString(l.shot) + `" alt="metamers so far">`
		}
		l.show(fmt.Sprintf("%s, loss %s %s", what, strings.Join(losses, ", "), remaining(left)), page)
	}
}

// picture sets the references above the metamers so far.
func (l *live) picture(p metamer.Progress) []byte {
	per := l.refs.Size * l.refs.Size * 3
	n := min(len(p.Preview)/per, perLine(l.refs.Size))
	sheet := figures.Sheet{Size: l.refs.Size, PerLine: n, Columns: make([]string, n), Rows: []figures.Row{
		{Label: "reference", Pixels: l.refs.Pixels[p.Image*per : (p.Image+n)*per]}, {Label: "so far", Pixels: p.Preview[:n*per]},
	}}
	m, err := sheet.Render()
	if err != nil {
		return nil
	}
	b, err := encoded(m)
	if err != nil {
		return nil
	}
	return b
}

// curve is the losses so far as a small SVG, on a logarithmic axis.
func (l *live) curve(steps int) string {
	const w, h = 360.0, 80.0
	low, high := math.Inf(1), math.Inf(-1)
	for _, pts := range l.loss {
		for _, p := range pts {
			low, high = min(low, math.Log10(max(p.loss, 1e-7))), max(high, math.Log10(max(p.loss, 1e-7)))
		}
	}
	if !(high > low) {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%g" height="%g" viewBox="0 0 %g %g"><rect x=".5" y=".5" width="%g" height="%g" fill="none" stroke="#ccc"/>`, w, h, w, h, w-1, h-1)
	for m := range len(l.loss) {
		pts := l.loss[m]
		stride := max(1, len(pts)/180)
		var line []string
		for i := 0; i < len(pts); i += stride {
			line = append(line, fmt.Sprintf("%.1f,%.1f", pts[i].step/float64(max(steps, 1))*w, h-4-(math.Log10(max(pts[i].loss, 1e-7))-low)/(high-low)*(h-8)))
		}
		c := figures.Color(m)
		fmt.Fprintf(&b, `<polyline fill="none" stroke="#%02x%02x%02x" stroke-width="1.3" points="%s"/>`, c.R, c.G, c.B, strings.Join(line, " "))
	}
	b.WriteString(`</svg><br>`)
	return b.String()
}

// end takes the progress away; an interrupted or failed piece of work leaves where
// it stood.
func (l *live) end(err error) {
	close(l.stop)
	<-l.over
	if !l.shown {
		return
	}
	l.say(api.Event{Shown: api.Last(err, time.Since(l.began))})
}

// perLine is how many images stand side by side in a cell.
func perLine(size int) int {
	if size > 64 {
		return 6
	}
	return 12
}
