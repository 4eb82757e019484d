// Package api defines the requests and replies of an engine, its protocol, plans, and the
// interface of an engine. It does not link GoMLX, so that programs that reach the engine over
// a socket stay small.
package api

import (
	"context"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Engine makes runs and measures them (package engine implements it). If ctx ends, a method
// returns its error within one chunk of steps or one batch, and finished work stays in the
// store. An unknown model, layer or measure is a *metamer.UnknownError.
type Engine interface {
	// Synthesize returns the run of a recipe: the stored one if there is one, else a new one,
	// which resumes from a checkpoint if there is one.
	Synthesize(ctx context.Context, q Synthesis) (*metamer.Run, error)
	// Evaluate measures runs. It reads stored rows and measures the others. A value that a
	// measure cannot give is a row with NaN and the reason.
	Evaluate(ctx context.Context, q Evaluation) (metamer.Rows, error)
	// Distort returns the directions of pixels that a model set notices most and least at each
	// image. It returns those found so far with an error.
	Distort(ctx context.Context, q Distorting) ([]Distortions, error)
	// Batch returns the number of images in a batch, 1 to q.Count, for recipes that leave it
	// open (metamer.AutoBatch): so many that the device is busy and each recipe fits half of
	// its free memory.
	Batch(ctx context.Context, q Batch) (int, error)
	// Models lists every model that the engine knows, by name.
	Models(ctx context.Context) ([]Model, error)
}

// Batch is a request for the size of batches.
type Batch struct {
	Recipes []metamer.Recipe
	Count   int // images
	Size    int // pixels a side
}

// Model is a model that an engine knows.
type Model struct {
	Card *card.Card
	// Missing says how to get its weights, "" if they are stored on this machine.
	Missing string
	// Held is the memory that its weights, and values derived from them, take now in all
	// precisions together, in bytes; 0: it is not in memory.
	Held int
}

// Synthesis is a recipe with its images, and the store of its run.
type Synthesis struct {
	Recipe metamer.Recipe // of Models only the names need be set; Images and Versions are filled in
	Images *metamer.ImageSet
	Given  *metamer.ImageSet // the initial images of Start.Kind "image": one for all images, or one for each
	Null   *metamer.ImageSet // the null set, whose name is Recipe.Null.Name if that is set; nil: it is opened by that name
	Store  string            // the store of the run, as runs.Open takes it; "": the run is not saved

	// Blocks, if above 0, joins the run from runs of blocks of this many images, a multiple
	// of the recipe's batch. Stored blocks are used, the others are made and stored. The
	// metamers have the same bits either way.
	Blocks int

	// Next, if set, is the next recipe, for the same images: its steps are compiled while this
	// one runs. It changes no result.
	Next *metamer.Recipe

	CheckpointEvery time.Duration // default 30 s
	// PreviewEvery is the least time between two events of Progress that have the images so
	// far; 0: none has.
	PreviewEvery time.Duration
	Progress     func(metamer.Progress)
	// Stepped, if set, is called once after the last step of the last image, before match
	// statistics are computed and files are written. It is not called for a stored run.
	Stepped func()
	Warn    func(string)
	// Extra, if set, returns functions that write further files of the run, by name. An
	// engine in another process uses its own.
	Extra func(*metamer.Run) map[string]func(path string) error
}
