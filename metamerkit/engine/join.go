package engine

import (
	"context"
	"fmt"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/synth"
)

// checkBlocks refuses blocks that would not have the bits of the whole: each must be
// made of the whole's own batches.
func checkBlocks(q Request, r metamer.Recipe) error {
	if q.Store == "" || q.Images.Of > 0 {
		return fmt.Errorf("engine: blocks need a store and a whole image set")
	}
	if r.Batch == metamer.AutoBatch {
		return fmt.Errorf("engine: blocks of %d images and the batch auto: expected a batch by number", q.Blocks)
	}
	if q.Blocks < r.Images.Count && q.Blocks%r.Batch != 0 {
		return fmt.Errorf("engine: blocks of %d images, expected a multiple of the batch, %d: other batches would give other last bits (a batch that divides %d will do)", q.Blocks, r.Batch, q.Blocks)
	}
	return nil
}

// join puts a run together from those of its blocks.
func (e *Engine) join(ctx context.Context, q Request, r metamer.Recipe, tapped []synth.TappedModel) (*metamer.Run, error) {
	whole := &metamer.Run{ID: r.ID(), Recipe: r, Names: q.Images.Names}
	for from := 0; from < r.Images.Count; from += q.Blocks {
		to := min(from+q.Blocks, r.Images.Count)
		b := q
		b.Blocks, b.Extra, b.Stepped = 0, nil, nil // those of the whole come later
		var err error
		if b.Images, err = q.Images.Part(from, to); err != nil {
			return nil, err
		}
		if q.Given != nil && q.Given.Len() == q.Images.Len() && q.Given.Len() > 1 {
			if b.Given, err = q.Given.Part(from, to); err != nil {
				return nil, err
			}
		}
		b.Progress = func(p metamer.Progress) {
			if p.Phase == metamer.Writing { // of the block
				return
			}
			p.Image, p.Images = p.Image+from, r.Images.Count
			q.Progress(p)
		}
		run, err := e.Synthesize(ctx, b)
		if err != nil {
			return nil, fmt.Errorf("engine: images %d–%d: %w", from, to-1, err)
		}
		whole.Metamers, whole.Start = append(whole.Metamers, run.Metamers...), append(whole.Start, run.Start...)
		t := &whole.Trace
		t.Step, t.Member, t.Loss = append(t.Step, run.Trace.Step...), append(t.Member, run.Trace.Member...), append(t.Loss, run.Trace.Loss...)
		for _, i := range run.Trace.Image {
			t.Image = append(t.Image, from+i)
		}
		whole.StepsRun = max(whole.StepsRun, run.StepsRun)
		whole.Seconds += run.Seconds
		whole.Stopped += run.Stopped
	}
	q.Stepped()
	return whole, e.testMatch(ctx, whole, tapped, q)
}
