package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
	"github.com/ensemble-metamers/metamers/metamerkit/synth"
)

// job is one recipe being carried out, batch by batch.
type job struct {
	e      *Engine
	q      Request
	r      metamer.Recipe
	tapped []synth.TappedModel
	work   *runs.Work
	began  time.Time

	saved time.Time // the last checkpoint
	shown time.Time // the last preview
	state jobState
	start []float32     // [N,S,S,3]
	done  []float32     // pixels of finished batches
	past  metamer.Trace // of finished batches
}

// jobState is what a checkpoint holds beside pixels. Floats are kept as their
// bits: JSON has neither infinity nor NaN.
type jobState struct {
	First   int // first image of the batch under way
	Step    int
	Loss    [][]uint64
	Best    []uint64
	BestAt  []int
	Stopped []int
	Trace   traceBits // of the batch under way
	Past    traceBits // of finished batches
	Most    int       // most steps of any image so far
	Why     string    // of finished batches
	Ended   string    // why the batch under way ended, "" if it did not
	Seconds float64
}

func (j *job) run(ctx context.Context) (*metamer.Run, error) {
	n, per := j.r.Images.Count, j.r.Images.Size*j.r.Images.Size*3
	j.start = startImages(j.r, j.q)
	j.q.Progress(metamer.Progress{Phase: metamer.Compiling, Steps: j.r.AllSteps(), Images: n})
	loop, err := j.e.loop(ctx, j.tapped, j.r, j.q.Null)
	if err != nil {
		return nil, err
	}
	go j.e.prefetch(ctx, j.q, j.r, j.tapped)
	j.q.Progress(metamer.Progress{Phase: metamer.Starting, Steps: j.r.AllSteps(), Images: n})
	resumed := j.restore(loop)
	j.saved = time.Now()
	c := resumed // where only the match statistics are missing
	for j.state.First < n {
		c, resumed = resumed, nil
		if c == nil {
			c = loop.NewCursor(fill(j.start, j.state.First, j.r.Batch, n, per), j.r.Batch)
		}
		if err := j.batch(ctx, loop, c, per); err != nil {
			return nil, err
		}
	}
	run := &metamer.Run{
		ID: j.r.ID(), Recipe: j.r, Names: j.q.Images.Names, Metamers: j.done, Start: j.start, Trace: j.past,
		StepsRun: j.state.Most, Stopped: j.state.Why, Seconds: j.state.Seconds + time.Since(j.began).Seconds(),
	}
	j.q.Progress(metamer.Progress{Phase: metamer.Matching, Step: j.r.AllSteps(), Steps: j.r.AllSteps(), Image: n, Images: n})
	j.q.Stepped()
	if err := j.e.testMatch(ctx, run, j.tapped, j.q); err != nil {
		if ctx.Err() != nil && j.work != nil {
			err = errors.Join(fmt.Errorf("engine: run %s stopped before its match statistics were complete; the same command goes on from there: %w", j.work.ID, ctx.Err()), j.save(c))
		}
		return nil, err
	}
	return run, nil
}

// batch synthesises the batch that begins at state.First.
func (j *job) batch(ctx context.Context, loop *synth.Loop, c *synth.Cursor, per int) error {
	n := j.r.Images.Count
	loop.Each = func(c *synth.Cursor, last []float64) error {
		p := metamer.Progress{Phase: metamer.Stepping, Step: c.Step, Steps: j.r.AllSteps(), Evaluations: j.r.Evaluations(c.Step), Image: j.state.First, Batch: min(j.r.Batch, n-j.state.First), Full: j.r.Batch, Images: n, Loss: last}
		if j.q.PreviewEvery > 0 && time.Since(j.shown) >= j.q.PreviewEvery {
			if err := c.Fetch(); err != nil {
				return err
			}
			p.Preview = c.Images[:min(j.r.Batch, n-j.state.First)*per]
			j.shown = time.Now()
		}
		j.q.Progress(p)
		if j.work != nil && time.Since(j.saved) >= j.q.CheckpointEvery {
			return j.save(c)
		}
		return nil
	}
	if err := loop.Run(ctx, fill(j.q.Images.Pixels, j.state.First, j.r.Batch, n, per), c); err != nil {
		if ctx.Err() != nil && j.work != nil {
			if e := j.save(c); e != nil {
				return e
			}
			return fmt.Errorf("engine: run %s stopped at step %d of images %d–%d; the same command goes on from there: %w", j.work.ID, c.Step, j.state.First, min(j.state.First+j.r.Batch, n)-1, ctx.Err())
		}
		var bad *synth.NonFiniteError
		if errors.As(err, &bad) {
			i := min(j.state.First+bad.Image, n-1)
			bad.Image, bad.Name = j.r.Images.First+i, j.q.Images.Names[i]
			err = fmt.Errorf("engine: the run cannot go on and was not stored: %w", err)
		}
		return err
	}
	if j.r.Round > 0 { // to the bits of a PNG file, whatever the device divides by
		c.Images = images.Rounded(c.Images)
	}
	real := min(j.r.Batch, n-j.state.First)
	j.done = append(j.done, c.Images[:real*per]...)
	for i := range c.Trace.Step {
		j.past.Step = append(j.past.Step, c.Trace.Step[i])
		j.past.Member = append(j.past.Member, c.Trace.Member[i])
		j.past.Image = append(j.past.Image, j.state.First)
		j.past.Loss = append(j.past.Loss, c.Trace.Loss[i][:real])
	}
	if c.Why != "" {
		j.state.Why += fmt.Sprintf("images from %d: %s. ", j.r.Images.First+j.state.First, c.Why)
		j.q.Warn(j.state.Why)
	}
	j.state.Most = max(j.state.Most, c.Step)
	j.state.First += real
	return nil
}

// fill cuts images first to first+batch out of [n,…]; a last short batch is filled
// with its last image.
func fill(pixels []float32, first, batch, n, per int) []float32 {
	out := make([]float32, 0, batch*per)
	for i := range batch {
		k := min(first+i, n-1)
		out = append(out, pixels[k*per:(k+1)*per]...)
	}
	return out
}

func (j *job) save(c *synth.Cursor) error {
	if err := c.Fetch(); err != nil {
		return err
	}
	s := j.state
	s.Step, s.BestAt, s.Stopped, s.Trace, s.Past = c.Step, c.BestAt, c.Stopped, pack(c.Trace), pack(j.past)
	s.Best, s.Ended = bits(c.Best), c.Why
	s.Loss = nil
	for _, row := range c.Loss {
		s.Loss = append(s.Loss, bits(row))
	}
	s.Seconds += time.Since(j.began).Seconds()
	text, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("engine: checkpoint: %w", err)
	}
	arrays := map[string][]float32{"images": c.Images, "done": j.done}
	for i, a := range c.Slots {
		arrays[fmt.Sprintf("slot%d", i)] = a
	}
	j.saved = time.Now()
	return j.work.Save(runs.Checkpoint{Arrays: arrays, State: text})
}

// restore takes up the checkpoint, if there is one.
func (j *job) restore(loop *synth.Loop) *synth.Cursor {
	if j.work == nil {
		return nil
	}
	cp, err := j.work.Restore()
	if err != nil {
		j.q.Warn(err.Error())
	}
	if cp == nil {
		return nil
	}
	var s jobState
	if err := json.Unmarshal(cp.State, &s); err != nil {
		j.q.Warn("engine: the checkpoint cannot be read, beginning anew: " + err.Error())
		return nil
	}
	c := loop.NewCursor(cp.Arrays["images"], j.r.Batch)
	c.Step, c.BestAt, c.Stopped, c.Trace, c.Best = s.Step, s.BestAt, s.Stopped, s.Trace.unpack(), floats(s.Best)
	c.Why, j.past = s.Ended, s.Past.unpack()
	for m, row := range s.Loss {
		c.Loss[m] = floats(row)
	}
	for i := 0; cp.Arrays[fmt.Sprintf("slot%d", i)] != nil; i++ {
		c.Slots = append(c.Slots, cp.Arrays[fmt.Sprintf("slot%d", i)])
	}
	j.done, j.state = cp.Arrays["done"], s
	return c
}
