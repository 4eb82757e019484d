package answers

import (
	"fmt"
	"math"
)

// Timing is how the display kept to the planned times, over the trials of all participants.
type Timing struct {
	Trials  int
	Planned float64 // ms that an image is to be shown
	Mean    float64 // mean distance from it, in ms
	Most    float64 // largest distance
	Late    int     // trials in which frames came late, from fixation to mask
	Frames  int     // frames that came late
}

// Timing computes it.
func (d *Data) Timing() Timing {
	t := Timing{Planned: 1000 * float64(d.Design.Times.Image) / d.Design.Times.Refresh}
	for _, p := range d.Participants {
		for _, tr := range p.Trials {
			off := max(math.Abs(tr.Shown-t.Planned), math.Abs(tr.Other-t.Planned))
			t.Trials++
			t.Mean += off
			t.Most = max(t.Most, off)
			t.Frames += tr.Dropped
			if tr.Dropped > 0 {
				t.Late++
			}
		}
	}
	t.Mean /= float64(max(t.Trials, 1))
	return t
}

// String says it in a sentence.
func (t Timing) String() string {
	return fmt.Sprintf("Images were shown %.1f ms off the planned %.0f ms on average and %.1f ms at most; in %d of %d trials frames came late, %d in all (as the browser counts them).", t.Mean, t.Planned, t.Most, t.Late, t.Trials, t.Frames)
}
