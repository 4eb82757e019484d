// Package api holds what is asked of an engine and how it answers. It links no
// GoMLX, so that programs which reach the engine over a socket stay small.
package api

import (
	"context"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Engine carries out what it is asked: for a program that links it (package engine). Cancelling ctx ends the work within one chunk of
// steps; what was done is kept.
type Engine interface {
	Synthesize(ctx context.Context, q Synthesis) (*metamer.Run, error)
	Evaluate(ctx context.Context, q Evaluation) (metamer.Rows, error)
	// Batch answers for recipes that leave it open (metamer.AutoBatch): the batch with
	// which all of them fill the device and fit its memory, for so many images of a size.
	Batch(ctx context.Context, q Batch) (int, error)
	// Models lists every model that the engine knows, by name.
	Models(ctx context.Context) ([]Model, error)
}

// Batch is what a batch is asked for.
type Batch struct {
	Recipes []metamer.Recipe
	Count   int // images
	Size    int // pixels a side
}

// Model is a model that an engine knows.
type Model struct {
	Card *card.Card
	// Missing says what to do to have its weights, "" if they are there.
	Missing string
	// Held is how many bytes its weights, and what is derived of them, take in memory now,
	// in all precisions together; 0: it is not in memory.
	Held int
}

// Synthesis is a recipe with the images it speaks of, and where its run goes.
type Synthesis struct {
	Recipe metamer.Recipe // of Models only the names need be set; Images and Versions are filled in
	Images *metamer.ImageSet
	Given  *metamer.ImageSet // the initial images of Start.Kind "image": one, or one an image
	Null   *metamer.ImageSet // the null set, called Recipe.Null.Name if that is set; nil: it is opened by that name
	Store  string            // where runs are kept, as runs.Open takes it; "": the run is not saved

	// Blocks, if above 0, has the run put together from runs of parts of this many
	// images, a multiple of the recipe's batch: those that the store holds are taken,
	// the others are made and stay there. The metamers have the same bits either way.
	Blocks int

	// Next, if set, is the recipe that will be asked for next, of the same images: what it
	// needs is compiled while this one runs. It changes no result.
	Next *metamer.Recipe

	CheckpointEvery time.Duration // default 30 s
	// PreviewEvery asks for the images so far in Progress, no more often than this; 0:
	// never.
	PreviewEvery time.Duration
	Progress     func(metamer.Progress)
	// Stepped, if set, is called once when all steps of all images are taken: match statistics
	// and files are left to do. It is not called for a run that the store holds.
	Stepped func()
	Warn    func(string)
	// Extra returns further files to save with the run. An engine in another process
	// adds its own.
	Extra func(*metamer.Run) map[string]func(path string) error
}
