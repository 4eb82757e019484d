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
	Recipe metamer.Recipe // with defaults
	Units  []*Unit        // one a member; for the average schedule and lbfgs only their targets are used
	Slopes []*Slope       // average only
	Mover  *Mover         // average only

	Objectives []*Objective // lbfgs only, one a member
	EarlyUnits []*Unit      // likewise at the stage of Recipe.Warm
	Early      []*Objective
	Descent    *Descent // lbfgs only

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
	Loss    [][]float64 // [M][B], the latest of each member, +Inf before the first
	Best    []float64   // [B], smallest sum over members so far
	BestAt  []int       // [B], the step it was seen at
	Stopped []int       // [B], the step an image stopped at, -1: it has not
	Trace   metamer.Trace
	Why     string // why the batch ended before its steps

	sync func() error
}

// Fetch copies images and slots from the device into the cursor.
func (c *Cursor) Fetch() error { return c.sync() }

// NewCursor returns the beginning, for start images [B,S,S,3].
func (l *Loop) NewCursor(start []float32, batch int) *Cursor {
	c := &Cursor{Images: start, Best: make([]float64, batch), BestAt: make([]int, batch), Stopped: make([]int, batch)}
	for b := range batch {
		c.Best[b], c.Stopped[b] = math.Inf(1), -1
	}
	for range l.Units {
		row := make([]float64, batch)
		for b := range row {
			row[b] = math.Inf(1)
		}
		c.Loss = append(c.Loss, row)
	}
	return c
}

// Run carries the recipe on from c until its end. The references are [B,S,S,3].
// When it returns, with or without an error, c holds the images so far.
func (l *Loop) Run(ctx context.Context, refs []float32, c *Cursor) (err error) {
	u := l.Units[0]
	ref := tensors.FromFlatDataAndDimensions(refs, u.imageShape().Dimensions...)
	var targets []*tensors.Tensor
	for _, u := range append(append([]*Unit{}, l.Units...), l.EarlyUnits...) {
		t, err := u.Target(ref)
		if err != nil {
			return err
		}
		targets = append(targets, t)
	}
	keeps := &u.reader
	if l.Descent != nil {
		keeps = &l.Descent.reader
	}
	st := keeps.NewState(c.Images)
	for i, shape := range keeps.slotShapes()[:len(c.Slots)] {
		st.Slots[i] = tensors.FromFlatDataAndDimensions(c.Slots[i], shape.Dimensions...)
	}
	c.sync = func() (err error) {
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
	defer func() {
		if e := c.sync(); err == nil {
			err = e
		}
	}()
	for c.Step < l.Recipe.Steps && c.Why == "" {
		if err := l.chunk(ctx, st, targets, c); err != nil {
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

// chunk takes the steps up to the next switch and judges who stops.
func (l *Loop) chunk(ctx context.Context, st *State, targets []*tensors.Tensor, c *Cursor) error {
	r := l.Recipe
	moving := make([]bool, len(c.Stopped))
	for b, at := range c.Stopped {
		moving[b] = at < 0
	}
	coef := func(i int) [numCoefficients]float32 {
		return coefficients(r.Optimizer, l.Units[0].cfg.Size, i, r.Steps)
	}
	if r.Schedule.Kind == "average" {
		var losses [][]float32
		var err error
		if warm := r.WarmSteps(); c.Step < warm {
			// Losses at another stage are none of the recipe's: the trace begins behind them.
			if _, err = l.Descent.step(ctx, l.Early, st, moving, coef(c.Step), targets[len(l.Units):]); err == nil {
				c.Step++
			}
			return err
		} else if warm > 0 && c.Step == warm {
			if err = l.Descent.anew(st, r.Warm.Stage == r.Stage); err != nil {
				return err
			}
		}
		if l.Descent != nil {
			losses, err = l.Descent.step(ctx, l.Objectives, st, moving, coef(c.Step), targets)
		} else {
			losses, err = average(ctx, l.Slopes, l.Mover, st, moving, coef(c.Step), targets)
		}
		if err != nil {
			return err
		}
		for m, row := range losses {
			l.note(c, c.Step, m, row)
		}
		c.Step++
		l.judge(c)
		return nil
	}
	m, n := active(r.Schedule, r.Seed, len(l.Units), c.Step)
	n = min(n, r.Steps-c.Step)
	var coefs [][numCoefficients]float32
	for i := range n {
		coefs = append(coefs, coef(c.Step+i))
	}
	losses, err := l.Units[m].Steps(ctx, st, moving, coefs, targets[m])
	for i, row := range losses {
		l.note(c, c.Step+i, m, row)
	}
	c.Step += len(losses) // of a chunk that was cancelled some steps are taken
	if err != nil {
		return err
	}
	l.judge(c)
	return nil
}

// note takes the losses of member m before a step into the trace and the cursor.
func (l *Loop) note(c *Cursor, step, m int, row []float32) {
	for b, v := range row {
		if c.Stopped[b] >= 0 {
			continue
		}
		if v := float64(v); math.IsNaN(v) || math.IsInf(v, 0) {
			if c.Why == "" {
				c.Why = fmt.Sprintf("loss %v at step %d, image %d of the batch, model %s", v, step, b, l.Units[m].Name)
			}
			c.Stopped[b] = step
		}
		c.Loss[m][b] = float64(v)
	}
	period := max(l.Recipe.Schedule.Every, 1) * len(l.Units)
	if step < traceHead || step%traceStride(l.Recipe.Steps, period) == 0 {
		c.Trace.Step = append(c.Trace.Step, step)
		c.Trace.Member = append(c.Trace.Member, m)
		c.Trace.Image = append(c.Trace.Image, 0)
		c.Trace.Loss = append(c.Trace.Loss, row)
	}
}

// judge applies the stop criteria.
func (l *Loop) judge(c *Cursor) {
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
