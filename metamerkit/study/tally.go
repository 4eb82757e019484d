package study

import (
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Share is what one part of a study took, over all of its runs.
type Share struct {
	Name      string        // as metamer.Progress has its phases
	Wall      time.Duration // until the next part began
	Processor time.Duration // of the engine, whatever it did meanwhile
}

// Busy is the share of the processor's cores that worked.
func (s Share) Busy(cores int) float64 {
	return s.Processor.Seconds() / max(s.Wall.Seconds()*float64(cores), 1e-9)
}

// tally adds up parts by what an engine reports.
type tally struct {
	shares []Share
	last   metamer.Usage
	at     time.Time
	part   int // index of the part under way, -1: none
}

// see takes a report, with which a part begins or goes on.
func (t *tally) see(p metamer.Progress) {
	now := time.Now()
	t.close(now, p.Usage)
	name := p.Phase
	if name == "start" {
		name = "synthesis"
	}
	t.part = 0
	for t.part < len(t.shares) && t.shares[t.part].Name != name {
		t.part++
	}
	if t.part == len(t.shares) {
		t.shares = append(t.shares, Share{Name: name})
	}
	t.at = now
}

func (t *tally) close(now time.Time, u metamer.Usage) {
	if !t.at.IsZero() && t.part < len(t.shares) {
		s := &t.shares[t.part]
		s.Wall += now.Sub(t.at)
		s.Processor += max(u.Processor-t.last.Processor, 0)
	}
	t.last = u
}
