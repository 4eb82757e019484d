package answers

import (
	"fmt"
	"math"
)

// exclude applies the design's rule to a participant.
func (d *Data) exclude(p *Participant) {
	rule, times := d.Design.Exclusion, d.Design.Times
	planned := 1000 * float64(times.Image) / times.Refresh
	catch, right, fast := 0, 0, 0
	for i := range p.Trials {
		t := &p.Trials[i]
		if t.Catch {
			catch++
			if d.Right(*t) {
				right++
			}
		}
		if t.Choice >= 0 && t.RT < rule.FastMS {
			fast++
		}
		switch {
		case t.Choice < 0:
			t.Left = "no answer in time"
		case max(math.Abs(t.Shown-planned), math.Abs(t.Other-planned)) > rule.ShownWithin:
			t.Left = "the image was shown for too long or too short a time"
		}
	}
	switch n := len(p.Trials); {
	case !p.Complete && !rule.Incomplete:
		p.Excluded = "did not reach the end"
	case float64(right) < rule.CatchAtLeast*float64(catch):
		p.Excluded = fmt.Sprintf("%d of %d catch trials right", right, catch)
	case float64(fast) > rule.FastAtMost*float64(n):
		p.Excluded = fmt.Sprintf("%d of %d answers sooner than %g ms", fast, n, rule.FastMS)
	}
}

// Counts says how many participants and trials there are, and how many are left out, by
// reason.
type Counts struct {
	Participants, Kept int
	Trials, KeptTrials int            // of the participants that are kept, without catch trials
	Excluded           map[string]int // participants
	Left               map[string]int // trials
}

// Counts counts.
func (d *Data) Counts() Counts {
	c := Counts{Participants: len(d.Participants), Excluded: map[string]int{}, Left: map[string]int{}}
	for _, p := range d.Participants {
		if p.Excluded != "" {
			c.Excluded[p.Excluded]++
			continue
		}
		c.Kept++
		for _, t := range p.Trials {
			switch {
			case t.Catch:
			case t.Left != "":
				c.Left[t.Left]++
				c.Trials++
			default:
				c.Trials++
				c.KeptTrials++
			}
		}
	}
	return c
}

// String says it in one sentence or two.
func (c Counts) String() string {
	s := fmt.Sprintf("%d participants, %d kept", c.Participants, c.Kept)
	for _, why := range sorted(c.Excluded) {
		s += fmt.Sprintf("; %d left out: %s", c.Excluded[why], why)
	}
	s += fmt.Sprintf(". %d trials, %d kept", c.Trials, c.KeptTrials)
	for _, why := range sorted(c.Left) {
		s += fmt.Sprintf("; %d left out: %s", c.Left[why], why)
	}
	return s + "."
}
