package study

import (
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Measuring is the phase of a study that measures the speeds of models.
const Measuring metamer.Phase = "measuring speed"

// Progress is how far a study is.
type Progress struct {
	What  string // what is under way, such as "resnet20 + resnet56, late"
	Phase metamer.Phase
	Done  float64
	Left  time.Duration // an estimate; 0: not known yet
	Loss  []float64     // of the members, mean over the batch
	// Preview, where asked for: the images of the batch under way.
	Preview []float32
}

// clock estimates the time left from the parts' expected work and from what those took
// that are over. A part that was there already takes no time and says nothing of the
// others.
type clock struct {
	parts   []float64 // expected work of each part: seconds, or in any unit
	known   bool      // it is seconds
	done    []bool
	took    time.Duration // of the parts that were worked on
	worked  float64       // their expected work
	current int
	began   time.Time
	share   float64 // of the current part
}

func newClock(parts []float64, known bool) *clock {
	return &clock{parts: parts, known: known, done: make([]bool, len(parts)), current: -1}
}

// trust is how many seconds of work weigh as much as what was expected of it.
const trust = 30

// begin says that part i is under way.
func (c *clock) begin(i int) { c.current, c.began, c.share = i, time.Now(), 0 }

// end says that the current part is over, and whether it was worked on; it returns
// what it took.
func (c *clock) end(worked bool) time.Duration {
	took := time.Since(c.began)
	if worked && c.parts[c.current] > 0 {
		c.took += took
		c.worked += c.parts[c.current]
	}
	c.done[c.current], c.current = true, -1
	return took
}

// state returns the share of all work that is done and the time left.
func (c *clock) state() (done float64, left time.Duration) {
	total, over := 0.0, 0.0
	for i, p := range c.parts {
		total += p
		if c.done[i] {
			over += p
		}
	}
	took, worked := c.took, c.worked
	if c.current >= 0 {
		over += c.share * c.parts[c.current]
		// The first seconds of a part are compilation: they say little.
		if t := time.Since(c.began); c.share > 0.02 {
			took, worked = took+t, worked+c.share*c.parts[c.current]
		}
	}
	if total == 0 {
		return 1, 0
	}
	switch {
	case c.known:
		left = seconds((took.Seconds() + trust) / (worked + trust) * (total - over))
	case worked > 0:
		left = time.Duration(float64(took) / worked * (total - over))
	}
	return over / total, left
}
