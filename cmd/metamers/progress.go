package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// state is how far a command is.
type state struct {
	Title          string
	Phase          string
	Batch, Batches int // 0: not divided
	Step, Steps    int // 0: none
	Text           string
	Members        []string // of Loss
	Loss           []float64
	Done           float64       // share of all work; below 0: not known in this phase
	Left           time.Duration // 0: the meter tells it from Done
}

// A meter shows progress on standard error: on a terminal as a bar, elsewhere as a line every
// lineEvery, or as lines of JSON.
type meter struct {
	mode  string // bar, lines, json or none
	out   io.Writer
	now   func() time.Time
	width func() int                         // of the terminal
	tick  func(func(time.Time)) (end func()) // calls regularly until end

	mu      sync.Mutex
	end     func() // nil: nothing is shown
	last    state
	began   time.Time // of the phase
	pace    pace
	said    time.Time // the last line
	drawn   time.Time // the last bar
	visible bool      // a bar is on the screen

	// unknown says that no forecast was made: the first steps give one, in a line.
	unknown bool
}

const (
	lineEvery = 10 * time.Second
	drawEvery = 100 * time.Millisecond
	paceAfter = 3 * time.Second // of steps that tell how long the rest takes
)

// newMeter shows nothing with --quiet and, unless --progress asks for it, with --json.
func newMeter(g *globals) *meter {
	fd := int(os.Stderr.Fd())
	m := &meter{mode: g.Progress, out: os.Stderr, now: time.Now, tick: everySecond, width: func() int {
		if w, _, err := term.GetSize(fd); err == nil && w > 0 {
			return w
		}
		return 80
	}}
	switch {
	case g.Quiet, g.JSON && m.mode == "auto":
		m.mode = "none"
	case m.mode == "auto" && term.IsTerminal(fd):
		m.mode = "bar"
	case m.mode == "auto":
		m.mode = "lines"
	}
	return m
}

// everySecond calls do each second until end.
func everySecond(do func(time.Time)) (end func()) {
	t, stop := time.NewTicker(time.Second), make(chan struct{})
	go func() {
		for {
			select {
			case now := <-t.C:
				do(now)
			case <-stop:
				return
			}
		}
	}()
	return sync.OnceFunc(func() { t.Stop(); close(stop) })
}

// show takes a state and shows it when it is due.
func (m *meter) show(s state) {
	if m.mode == "none" {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	if m.end == nil {
		if m.said.IsZero() {
			m.said = now
		}
		m.end = m.tick(m.beat)
		m.last = state{}
	}
	if s.Title != m.last.Title || s.Phase != m.last.Phase {
		m.began = now
	}
	if s.Done < 0 {
		if s.Title == m.last.Title {
			s.Done = m.last.Done
		}
	} else if s.Left == 0 {
		s.Left = m.pace.left(s.Title, s.Done, now)
	}
	s.Done = min(max(s.Done, 0), 1)
	m.last = s
	if m.unknown && s.Left > 0 && m.pace.over >= paceAfter {
		m.unknown = false
		m.print("expected: about " + about(s.Left) + " more, by the pace of the first steps")
	}
	m.draw(now)
}

// beat shows the last state again when it is due, however long nothing is heard.
func (m *meter) beat(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.end != nil {
		m.draw(now)
	}
}

func (m *meter) draw(now time.Time) {
	switch {
	case m.mode == "bar" && now.Sub(m.drawn) >= drawEvery:
		fmt.Fprint(m.out, "\r"+m.bar(now, m.width())+"\x1b[K")
		m.drawn, m.visible = now, true
	case m.mode == "lines" && now.Sub(m.said) >= lineEvery:
		m.said = now
		fmt.Fprintln(m.out, m.line(now))
	case m.mode == "json" && now.Sub(m.said) >= lineEvery:
		m.said = now
		m.encode(m.record(now))
	}
}

// words are the state without its title and the share that is done.
func (m *meter) words() string {
	s := m.last
	text := s.Phase
	if s.Batches > 1 {
		text += fmt.Sprintf(", batch %d of %d", s.Batch, s.Batches)
	}
	if s.Steps > 0 {
		text += fmt.Sprintf(", step %d of %d", s.Step, s.Steps)
	}
	if s.Text != "" {
		text += ", " + s.Text
	}
	if loss := s.losses(); loss != "" {
		text += ", loss " + loss
	}
	return text
}

// left is the time left or, where it is not known, how long the phase has lasted.
func (m *meter) left(now time.Time) string {
	if m.last.Left > 0 {
		return about(m.last.Left) + " left"
	}
	return "for " + about(now.Sub(m.began).Round(time.Second))
}

func (m *meter) line(now time.Time) string {
	return m.last.Title + ": " + m.words() + ", " + m.left(now)
}

// losses are those that were seen, with the members' names where there are several.
func (s state) losses() string {
	var out []string
	for i, v := range s.Loss {
		if math.IsNaN(v) {
			continue
		}
		text := fmt.Sprintf("%#.3g", v)
		if len(s.Loss) > 1 && i < len(s.Members) && s.Members[i] != "" {
			text = s.Members[i] + " " + text
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// bar is the state in one line of a terminal that is so wide. What does not fit is cut off at
// the end.
func (m *meter) bar(now time.Time, width int) string {
	s := m.last
	n := min(max(width/5, 6), 24)
	full := int(s.Done * float64(n))
	head := fmt.Sprintf("[%s%s] %3.0f %% ", strings.Repeat("=", full), strings.Repeat(" ", n-full), math.Floor(100*s.Done))
	r := []rune(head + m.left(now) + ", " + m.words() + "; " + s.Title)
	if most := max(width-1, 1); len(r) > most {
		r = append(r[:most-1], '…')
	}
	return string(r)
}

// record is the state as JSON.
func (m *meter) record(now time.Time) map[string]any {
	s := m.last
	out := map[string]any{"time": now.UTC().Format(time.RFC3339), "what": s.Title, "phase": s.Phase, "done": s.Done}
	for name, n := range map[string]int{"batch": s.Batch, "batches": s.Batches, "step": s.Step, "steps": s.Steps} {
		if n > 0 {
			out[name] = n
		}
	}
	if s.Text != "" {
		out["text"] = s.Text
	}
	loss := map[string]float64{}
	for i, v := range s.Loss {
		if name := fmt.Sprint(i); !math.IsNaN(v) && !math.IsInf(v, 0) {
			if i < len(s.Members) && s.Members[i] != "" {
				name = s.Members[i]
			}
			loss[name] = v
		}
	}
	if len(loss) > 0 {
		out["loss"] = loss
	}
	if s.Left > 0 {
		out["secondsLeft"] = math.Round(s.Left.Seconds())
	}
	return out
}

func (m *meter) encode(v any) {
	if err := json.NewEncoder(m.out).Encode(v); err != nil {
		panic("metamers: progress: " + err.Error()) // strings and finite numbers: never
	}
}

// note prints a line that stays, unless nothing is to be shown.
func (m *meter) note(text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.print(text)
}

func (m *meter) print(text string) {
	m.erase()
	switch m.mode {
	case "bar", "lines":
		fmt.Fprintln(m.out, text)
	case "json":
		m.encode(map[string]string{"note": text})
	}
}

// warn prints a warning, whatever is shown otherwise.
func (m *meter) warn(text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.erase()
	fmt.Fprintln(m.out, "warning:", text)
}

// erase takes the bar off the screen.
func (m *meter) erase() {
	if m.visible {
		fmt.Fprint(m.out, "\r\x1b[K")
		m.visible, m.drawn = false, time.Time{}
	}
}

// clear ends what is shown; the next show begins again.
func (m *meter) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.erase()
	if m.end != nil {
		m.end()
		m.end = nil
	}
}

// pace tells the time left from how the share that is done has grown.
type pace struct {
	title string
	since time.Time
	from  float64
	at    float64
	over  time.Duration // how long it was watched
}

func (p *pace) left(title string, done float64, now time.Time) time.Duration {
	if p.title != title || p.since.IsZero() || done < p.at {
		*p = pace{title: title, since: now, from: done, at: done}
		return 0
	}
	p.at, p.over = done, now.Sub(p.since)
	if done <= p.from || p.over < time.Second {
		return 0
	}
	return time.Duration(float64(p.over) * (1 - done) / (done - p.from))
}
