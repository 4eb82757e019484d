package engine

import (
	"context"
	"fmt"
	"runtime"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/synth"
)

// What a batch needs at most to keep a device busy: on two cores of a CPU the time of an
// image is within a tenth of its least from 16 images on (docs/studies.md), and a GPU takes
// hundreds of small images at once.
const (
	busyCore = 8 // images a core
	busyGPU  = 256
)

// Batch implements api.Engine.
func (e *Engine) Batch(ctx context.Context, q api.Batch) (int, error) {
	if q.Count < 1 || q.Size < 1 || len(q.Recipes) == 0 {
		return 0, fmt.Errorf("engine: a batch of %d images of %d² for %d recipes", q.Count, q.Size, len(q.Recipes))
	}
	best := q.Count
	for _, r := range q.Recipes {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		r = r.WithDefaults()
		r.Images.Size, r.Images.Count = q.Size, q.Count
		tapped, err := e.tappedModels(r)
		if err != nil {
			return 0, err
		}
		if r, err = synth.Choose(r, tapped); err != nil {
			return 0, err
		}
		n, err := e.batch(tapped, r, q.Count)
		if err != nil {
			return 0, err
		}
		best = min(best, n)
	}
	return q.Recipes[0].Variants.Whole(evenly(q.Count, best)), nil
}

// batch is the number of images of n that a recipe, whose members are open, takes at once.
func (e *Engine) batch(tapped []synth.TappedModel, r metamer.Recipe, n int) (int, error) {
	r.Batch = 1
	most := busyGPU
	if e.Backend.Kind != backend.CUDA {
		most = max(busyCore*runtime.NumCPU(), 16)
	}
	backend.GiveBack() // the batch must not depend on what ran before
	free, err := e.Backend.FreeMemory()
	if err != nil || free == 0 {
		return evenly(n, most), nil // unknown: let the allocation decide
	}
	for _, s := range tapped {
		one, derived, err := e.needs(s, r)
		if err != nil {
			return 0, err
		}
		most = atMost(most, free, one, derived)
	}
	return evenly(n, most), nil
}

// atMost is how many images, at least one, fit half of the free memory: the rest is for
// what is not counted.
func atMost(most int, free, one, derived uint64) int {
	return max(min(most, int((free/2-min(derived, free/2))/max(one, 1))), 1)
}

// evenly is the size of the fewest batches of at most so many images that hold n, as
// equal as they can be: nothing fills them up in vain.
func evenly(n, most int) int {
	batches := (n + most - 1) / most
	return (n + batches - 1) / batches
}
