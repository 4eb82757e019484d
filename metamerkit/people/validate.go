package people

import (
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

var shortLists = regexp.MustCompile(`\[[\s\d,]+\]`)

// Validate returns an error for the first thing in the design that cannot be.
func (d *Design) Validate() error {
	if d.Format != 1 {
		return fmt.Errorf("the format is %d, expected 1", d.Format)
	}
	if len(d.Choices) < 2 {
		return fmt.Errorf("there are %d choices, expected at least 2", len(d.Choices))
	}
	keys := map[string]bool{}
	for _, c := range d.Choices {
		if c.Key == "" || keys[c.Key] {
			return fmt.Errorf("the choice %q has the key %q, expected one of its own", c.Name, c.Key)
		}
		keys[c.Key] = true
	}
	for i, s := range d.Stimuli {
		switch {
		case s.Answer < 0 || s.Answer >= len(d.Choices):
			return fmt.Errorf("stimulus %d has the answer %d, expected 0 to %d", i, s.Answer, len(d.Choices)-1)
		case s.Condition < Natural || s.Condition >= len(d.Conditions):
			return fmt.Errorf("stimulus %d has the condition %d, expected -1 to %d", i, s.Condition, len(d.Conditions)-1)
		case s.Image < -1 || s.Image >= d.Images.Count:
			return fmt.Errorf("stimulus %d has the image %d, expected -1 to %d", i, s.Image, d.Images.Count-1)
		case !filepath.IsLocal(s.Path):
			return fmt.Errorf("stimulus %d has the file %q, expected one inside the folder", i, s.Path)
		}
	}
	if err := d.validateTask(); err != nil {
		return err
	}
	for _, m := range d.Masks {
		if !filepath.IsLocal(m.Path) {
			return fmt.Errorf("a mask has the file %q, expected one inside the folder", m.Path)
		}
	}
	if len(d.Schedules) == 0 {
		return fmt.Errorf("there is no schedule")
	}
	for _, list := range append([][]int{d.Practice, d.Catch}, d.Schedules...) {
		for _, i := range list {
			if i < 0 || i >= len(d.Stimuli) {
				return fmt.Errorf("a trial shows stimulus %d, expected 0 to %d", i, len(d.Stimuli)-1)
			}
		}
	}
	for p, list := range d.Schedules {
		seen := map[int]bool{}
		for _, i := range list {
			s := d.Stimuli[i]
			if s.Image >= 0 && seen[s.Image] {
				return fmt.Errorf("schedule %d shows the reference %d twice", p, s.Image)
			}
			seen[s.Image] = true
		}
	}
	return d.validateNumbers()
}

func (d *Design) validateNumbers() error {
	for _, n := range []struct {
		what     string
		got      float64
		from, to float64
	}{
		{"refresh rate", d.Times.Refresh, 1, 1000},
		{"number of frames of the fixation", float64(d.Times.Fixation), 0, 6000},
		{"number of frames of the image", float64(d.Times.Image), 1, 60000},
		{"number of frames of the mask", float64(d.Times.Mask), 0, 6000},
		{"number of frames of the gap", float64(d.Times.Gap), 0, 6000},
		{"time for an answer", float64(d.Times.Limit), 0, 3600000},
		{"magnification", float64(d.Display.Magnification), 0, 64},
		{"visual angle", d.Display.Degrees, 0, 90},
		{"number of trials between breaks", float64(d.Break), 0, 1e6},
		{"share of catch trials", d.Exclusion.CatchAtLeast, 0, 1},
		{"share of fast answers", d.Exclusion.FastAtMost, 0, 1},
		{"fast answer", d.Exclusion.FastMS, 0, 1e6},
		{"tolerance of the image's time", d.Exclusion.ShownWithin, 0, 1e6},
	} {
		if !(n.got >= n.from && n.got <= n.to) {
			return fmt.Errorf("%s is %v, expected %v to %v", n.what, n.got, n.from, n.to)
		}
	}
	if (d.Display.Magnification == 0) == (d.Display.Degrees == 0) || math.IsNaN(d.Display.Degrees) {
		return fmt.Errorf("magnification %d and visual angle %v°: expected one of them", d.Display.Magnification, d.Display.Degrees)
	}
	if d.Display.Degrees > 0 && !d.Display.Calibrate {
		return fmt.Errorf("a visual angle of %v° needs the calibration of the display", d.Display.Degrees)
	}
	return nil
}

// validateTask checks what belongs to the task.
func (d *Design) validateTask() error {
	if !slices.Contains(Tasks, d.Kind()) {
		return metamer.Unknown("task", d.Task, Tasks)
	}
	if (d.Times.Gap > 0) != (d.Task == SameDifferent) {
		return fmt.Errorf("the gap is %d frames and the task %s: expected a gap with %s, and with no other", d.Times.Gap, d.Kind(), SameDifferent)
	}
	for i, s := range d.Stimuli {
		switch {
		case (s.Other != nil) != (d.Task != ""):
			return fmt.Errorf("stimulus %d: expected a second image in the tasks %s and %s, and in no other; the task is %s", i, SameDifferent, MoreNatural, d.Kind())
		case s.Other == nil:
		case !filepath.IsLocal(s.Other.Path):
			return fmt.Errorf("stimulus %d has the second file %q, expected one inside the folder", i, s.Other.Path)
		case s.Other.Condition < Natural || s.Other.Condition >= len(d.Conditions):
			return fmt.Errorf("stimulus %d has a second image of the condition %d, expected -1 to %d", i, s.Other.Condition, len(d.Conditions)-1)
		}
	}
	return nil
}
