package synth

import (
	"context"
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Loop synthesises one batch of images by a recipe.
type Loop struct {
	Recipe  metamer.Recipe // with defaults
	Stepper Stepper        // as NewStepper makes it for the recipe

	// Device, if set, calls what Run does on the backend: preparing the targets, a chunk
	// of steps, a copy of the images. It may wait for its turn.
	Device func(ctx context.Context, f func() error) error

	// Each, if set, is called between chunks with the state so far. An error ends
	// the loop with that error.
	Each func(c *Cursor, last []float64) error
}

// Cursor is all that a loop needs to go on: it can be saved and given to Run
// again, and the result is the same to the bit (on one backend of one machine).
type Cursor struct {
	Step    int
	Images  []float32   // [B,S,S,3]; nil while the device holds them
	Slots   [][]float32 // as Images; flat
	Loss    [][]float64 // [M][B], the latest of each of Recipe.Tapped, +Inf before the first
	Best    []float64   // [B], smallest sum over members so far
	BestAt  []int       // [B], the step it was seen at
	Stopped []int       // [B], the step an image stopped at, -1: it has not
	Trace   metamer.Trace
	Why     string // why the batch ended before its steps

	sync func() error
}

// Fetch copies images and slots from the device into the cursor, which holds them until Run
// takes it.
func (c *Cursor) Fetch() error {
	if c.sync == nil {
		return nil
	}
	return c.sync()
}

// NewCursor returns the cursor of a run's beginning. The initial images are float32
// [B,S,S,3] in [0,1].
func (l *Loop) NewCursor(start []float32, batch int) *Cursor {
	c := &Cursor{Images: start, Best: make([]float64, batch), BestAt: make([]int, batch), Stopped: make([]int, batch)}
	for b := range batch {
		c.Best[b], c.Stopped[b] = math.Inf(1), -1
	}
	for range l.Recipe.Tapped() {
		row := make([]float64, batch)
		for b := range row {
			row[b] = math.Inf(1)
		}
		c.Loss = append(c.Loss, row)
	}
	return c
}

// Run carries the recipe on from c until its end. The references are [B,S,S,3]. A loss
// or gradient that is not finite ends it with a *NonFiniteError.
// When it returns, with or without an error, c holds the images so far.
func (l *Loop) Run(ctx context.Context, refs []float32, c *Cursor) (err error) {
	device := l.Device
	if device == nil {
		device = func(_ context.Context, f func() error) error { return f() }
	}
	var st *State
	if err := device(ctx, func() (err error) {
		st, err = l.Stepper.Begin(c.Step, refs, c.Images, c.Slots)
		return err
	}); err != nil {
		return err
	}
	c.sync = func() error {
		return device(context.WithoutCancel(ctx), func() error { return c.copy(st) })
	}
	defer func() {
		if e := c.sync(); err == nil {
			err = e
		}
	}()
	for c.Step < l.Recipe.AllSteps() && c.Why == "" {
		if err := device(ctx, func() error { return l.chunk(ctx, st, c) }); err != nil {
			return err
		}
		if l.Each != nil {
			if err := l.Each(c, l.means(c)); err != nil {
				return err
			}
		}
	}
	return nil
}

// copy fetches images and slots.
func (c *Cursor) copy(st *State) (err error) {
	if c.Images, err = tensors.CopyFlatData[float32](st.Images); err != nil {
		return err
	}
	c.Slots = nil
	for _, s := range st.Slots {
		flat, err := tensors.CopyFlatData[float32](s)
		if err != nil {
			return err
		}
		c.Slots = append(c.Slots, flat)
	}
	return nil
}

// chunk takes the steps of one call and applies the stop criteria.
func (l *Loop) chunk(ctx context.Context, st *State, c *Cursor) error {
	moving := make([]bool, len(c.Stopped))
	for b, at := range c.Stopped {
		moving[b] = at < 0
	}
	taken, losses, err := l.Stepper.Take(ctx, st, c.Step, moving)
	for _, s := range losses {
		l.note(c, s.Step, s.Member, s.Of)
	}
	c.Step += taken
	if err == nil && losses != nil {
		l.stop(c)
	}
	return err
}

// note takes the losses of member m before a step into the trace and the cursor.
func (l *Loop) note(c *Cursor, step, m int, row []float32) {
	for b, v := range row {
		if c.Stopped[b] >= 0 {
			continue
		}
		c.Loss[m][b] = float64(v)
	}
	period := max(l.Recipe.Schedule.Every, 1) * len(l.Recipe.Tapped())
	if step < traceHead || step%traceStride(l.Recipe.Steps, period) == 0 {
		c.Trace.Step = append(c.Trace.Step, step)
		c.Trace.Member = append(c.Trace.Member, m)
		c.Trace.Image = append(c.Trace.Image, 0)
		c.Trace.Loss = append(c.Trace.Loss, row)
	}
}

// stop applies the stop criteria.
func (l *Loop) stop(c *Cursor) {
	s := l.Recipe.Stop
	left := 0
	for b := range c.Stopped {
		if c.Stopped[b] >= 0 {
			continue
		}
		sum, worst := 0.0, 0.0
		for m := range c.Loss {
			sum += c.Loss[m][b]
			worst = max(worst, c.Loss[m][b])
		}
		if sum < c.Best[b]*0.999 {
			c.Best[b], c.BestAt[b] = sum, c.Step
		}
		if s.Loss > 0 && worst <= s.Loss || s.Patience > 0 && !math.IsInf(sum, 1) && c.Step-c.BestAt[b] >= s.Patience {
			c.Stopped[b] = c.Step
			continue
		}
		left++
	}
	if left == 0 && c.Why == "" && c.Step < l.Recipe.Steps {
		c.Why = fmt.Sprintf("every image met a stop criterion by step %d", c.Step)
	}
}

// means is the latest loss of each member, averaged over the batch.
func (l *Loop) means(c *Cursor) []float64 {
	out := make([]float64, len(c.Loss))
	for m, row := range c.Loss {
		for _, v := range row {
			out[m] += v / float64(len(row))
		}
		if math.IsInf(out[m], 0) {
			out[m] = math.NaN()
		}
	}
	return out
}
