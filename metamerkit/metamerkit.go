// Package metamerkit is the API of notebook cells and small programs: a few functions that
// carry out the experiment, and values that a cell displays.
//
//	photos := metamerkit.Must(metamerkit.OpenImages("photos:8", 32))
//	run := metamerkit.Must(metamerkit.Synthesize(metamerkit.Recipe{
//		Models: metamerkit.Set("resnet20", "resnet56"), Stage: "late", Steps: 300,
//	}, photos))
//
// The work is done by the engine's process, which starts when it is needed and keeps
// models, compiled steps and studies from cell to cell. This package links neither GoMLX
// nor plotting nor image decoders, so that an edited cell links fast. Runs and rows are
// stored on disk, and a repeated request returns them at once.
package metamerkit

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/ensemble-metamers/metamers/metamerkit/display"
	"github.com/ensemble-metamers/metamers/metamerkit/display/running"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/table"
)

// These types of other packages are declared here so that a cell needs one import.
type (
	Recipe    = metamer.Recipe
	Against   = metamer.Against  // of a Recipe: models that its metamers are to differ for
	Variants  = metamer.Variants // of a Recipe: several metamers of each image that differ from each other
	Schedule  = metamer.Schedule
	Optimizer = metamer.Optimizer
	Start     = metamer.Start
	Penalty   = metamer.Penalty
	Stop      = metamer.Stop
	Row       = metamer.Row
	Rows      = metamer.Rows
	Means     = metamer.Means
	Table     = table.Table
)

// Stages are early, middle and late.
var Stages = metamer.Stages

// Set returns a model set of the models with these names (see Models).
func Set(names ...string) (refs []metamer.ModelRef) { return metamer.Refs(names...) }

// Context returns the context that the functions of this package use. It ends when the
// cell or program is interrupted.
func Context() context.Context {
	if ctx := running.Context(); ctx != nil {
		return ctx // of the cell that runs
	}
	state.Lock()
	defer state.Unlock()
	if state.ctx == nil {
		state.ctx, _ = signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	}
	return state.ctx
}

// Must returns v, or stops the program with err, which a cell shows as its error. An
// interrupted call stops without a message. It takes the results of a call that returns a
// value and an error, or an error alone, as in Must(figure.Save("loss.pdf", 0)).
func Must[T any](v T, err ...error) T {
	if len(err) == 0 {
		if e, ok := any(v).(error); ok {
			err = []error{e}
		}
	}
	for _, e := range err {
		if e == nil {
			continue
		}
		running.Fail(e) // in a notebook's session: ends the cell alone
		if !errors.Is(e, context.Canceled) || Context().Err() == nil {
			display.Result(e)
		}
		os.Exit(1)
	}
	return v
}
