package main

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// clock is a meter's time, which a test moves by hand.
type clock struct {
	time  time.Time
	beats []func(time.Time)
}

// fakeMeter is a meter with its own time, and what it wrote.
func fakeMeter(mode string, width int) (*meter, *clock, *bytes.Buffer) {
	c, out := &clock{time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}, &bytes.Buffer{}
	return &meter{mode: mode, out: out, now: func() time.Time { return c.time }, width: func() int { return width }, tick: func(do func(time.Time)) func() {
		c.beats = append(c.beats, do)
		return func() { c.beats = nil }
	}}, c, out
}

// pass lets seconds go by, in each of which the meter is woken as by everySecond.
func (c *clock) pass(seconds int) {
	for range seconds {
		c.time = c.time.Add(time.Second)
		for _, do := range c.beats {
			do(c.time)
		}
	}
}

// Without a terminal there is a line every ten seconds, also while nothing is heard; it says
// phase, batch, step, loss and the time left.
func TestLines(t *testing.T) {
	m, c, out := fakeMeter("lines", 0)
	b := &bar{m, "a+b late", []string{"a", "b"}}
	b.show(metamer.Progress{Phase: metamer.Compiling})
	c.pass(25) // two lines while it compiles
	for step := 0; step <= 40; step++ {
		b.show(metamer.Progress{Phase: metamer.Stepping, Step: step, Steps: 40, Evaluations: 2 * step, Batch: 16, Full: 16, Images: 20, Loss: []float64{0.5, math.NaN()}})
		c.pass(1)
	}
	b.show(metamer.Progress{Phase: metamer.Stepping, Step: 20, Steps: 40, Evaluations: 40, Image: 16, Batch: 4, Full: 16, Images: 20, Loss: []float64{0.25, 0.125}})
	c.pass(9)
	b.clear()
	c.pass(60)
	want := []string{
		"a+b late: compiling, for 10s",
		"a+b late: compiling, for 20s",
		"a+b late: synthesis, batch 1 of 2, step 4 of 40, 8 evaluations, loss a 0.500, 46s left",
		"a+b late: synthesis, batch 1 of 2, step 14 of 40, 28 evaluations, loss a 0.500, 36s left",
		"a+b late: synthesis, batch 1 of 2, step 24 of 40, 48 evaluations, loss a 0.500, 26s left",
		"a+b late: synthesis, batch 1 of 2, step 34 of 40, 68 evaluations, loss a 0.500, 16s left",
		"a+b late: synthesis, batch 2 of 2, step 20 of 40, 40 evaluations, loss a 0.250, b 0.125, 4.6s left",
	}
	if got := strings.Split(strings.TrimSpace(out.String()), "\n"); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s\nexpected\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// As JSON the same stands in lines that are each a value; notes too.
func TestProgressJSON(t *testing.T) {
	m, c, out := fakeMeter("json", 0)
	m.note("expected: about 2m")
	b := &bar{m, "a late", []string{"a"}}
	for step := range 25 {
		b.show(metamer.Progress{Phase: metamer.Stepping, Step: step, Steps: 100, Evaluations: step, Batch: 4, Full: 4, Images: 4, Loss: []float64{math.Inf(1)}})
		c.pass(1)
	}
	var got []map[string]any
	for d := json.NewDecoder(out); d.More(); {
		var v map[string]any
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		got = append(got, v)
	}
	if len(got) != 3 || got[0]["note"] != "expected: about 2m" || got[2]["phase"] != "synthesis" || got[2]["step"] != 19.0 || got[2]["steps"] != 100.0 || got[2]["secondsLeft"] != 81.0 || got[2]["loss"] != nil || got[2]["time"] != "2026-01-02T03:04:25Z" {
		t.Error(got)
	}
}

// Where no forecast was made the first steps give one, once.
func TestForecastOfTheFirstSteps(t *testing.T) {
	m, c, out := fakeMeter("lines", 0)
	m.unknown = true
	for i := range 8 {
		m.show(state{Title: "x", Phase: "synthesis", Done: float64(i) / 100})
		c.pass(1)
	}
	if got := out.String(); got != "expected: about 1m37s more, by the pace of the first steps\n" {
		t.Errorf("%q", got)
	}
}

// A bar fits a terminal of any width and is taken off the screen before anything else is
// printed.
func TestBarFits(t *testing.T) {
	for width := 10; width <= 240; width++ {
		m, c, out := fakeMeter("bar", width)
		for i := range 4 {
			m.show(state{Title: "resnet50.a1_in1k+vit_base_patch16_224 late", Phase: "synthesis", Batch: 1, Batches: 11, Step: i, Steps: 400, Members: []string{"resnet50.a1_in1k", "vit_base_patch16_224"}, Loss: []float64{0.5, 0.25}, Done: float64(i) / 400})
			c.pass(1)
		}
		for _, line := range strings.Split(out.String(), "\r")[1:] {
			line = strings.TrimSuffix(line, "\x1b[K")
			if n := utf8.RuneCountInString(line); n >= width {
				t.Fatalf("%d columns in a terminal of %d: %q", n, width, line)
			}
			if width >= 40 && (!strings.HasPrefix(line, "[") || !strings.Contains(line, " % ")) {
				t.Fatalf("%d columns: %q", width, line)
			}
		}
		if width == 40 && !strings.Contains(out.String(), "left, synth") {
			t.Errorf("the time left is cut off: %q", out)
		}
		out.Reset()
		m.warn("mind this")
		if out.String() != "\r\x1b[Kwarning: mind this\n" {
			t.Errorf("%q", out)
		}
	}
}

// What is shown, and where.
func TestMeterModes(t *testing.T) {
	for want, g := range map[string]globals{
		"none":  {Progress: "auto", JSON: true},
		"json":  {Progress: "json", JSON: true},
		"bar":   {Progress: "bar"},
		"lines": {Progress: "lines"},
	} {
		if m := newMeter(&g); m.mode != want {
			t.Errorf("%+v: %s", g, m.mode)
		}
	}
	if m := newMeter(&globals{Progress: "json", Quiet: true}); m.mode != "none" {
		t.Error("quiet:", m.mode)
	}
	m, c, out := fakeMeter("none", 80)
	m.show(state{Title: "x"})
	m.note("y")
	if c.pass(20); out.Len() > 0 || c.beats != nil {
		t.Errorf("%q", out)
	}
}
