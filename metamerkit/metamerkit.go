// Package metamerkit is what a notebook cell or a small program imports: a few verbs
// that read like the experiment, and values that show themselves.
//
//	photos := metamerkit.Must(metamerkit.OpenImages("photos:8", 32))
//	run := metamerkit.Must(metamerkit.Synthesize(metamerkit.Recipe{
//		Models: metamerkit.Set("resnet20", "resnet56"), Stage: "late", Steps: 300,
//	}, photos))
//
// An engine does the work (see Use), by default one in a process of its own, which
// keeps models and compiled steps from cell to cell and is started when there is
// none. Runs and rows are kept on disk, so that what was asked before is answered at
// once. The package links no GoMLX.
package metamerkit

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/ensemble-metamers/metamers/metamerkit/ask"
	"github.com/ensemble-metamers/metamers/metamerkit/figures"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/place"
	"github.com/ensemble-metamers/metamers/metamerkit/remote"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
	"github.com/ensemble-metamers/metamers/metamerkit/study"
)

// The vocabulary, so that one import is enough.
type (
	Recipe    = metamer.Recipe
	Schedule  = metamer.Schedule
	Optimizer = metamer.Optimizer
	Start     = metamer.Start
	Penalty   = metamer.Penalty
	Stop      = metamer.Stop
	Rows      = metamer.Rows
	Plan      = study.Plan
	Settings  = study.Settings
	Figure    = figures.Figure
	Table     = figures.Table
)

// Stages are early, middle and late.
var Stages = metamer.Stages

// Set is a model set by names (see Models).
func Set(names ...string) (refs []metamer.ModelRef) {
	for _, n := range names {
		refs = append(refs, metamer.ModelRef{Name: n})
	}
	return refs
}

var state struct {
	sync.Mutex
	engine ask.Engine
	ctx    context.Context
}

// Use makes an engine the one that does the work, such as one in this process
// (package engine).
func Use(e ask.Engine) {
	state.Lock()
	defer state.Unlock()
	state.engine = e
}

// Engine returns the engine in use. Without Use it is one in a process of its own,
// which is started if none runs (see remote.Options for the environment it reads).
func Engine() (ask.Engine, error) {
	state.Lock()
	defer state.Unlock()
	if state.engine == nil {
		e, err := remote.Connect(context.Background(), remote.Options{Say: say})
		if err != nil {
			return nil, err
		}
		state.engine = e
	}
	return state.engine, nil
}

func say(text string) { fmt.Fprintln(os.Stderr, text) }

// Context ends when the cell or program is interrupted. The verbs use it.
func Context() context.Context {
	state.Lock()
	defer state.Unlock()
	if state.ctx == nil {
		state.ctx, _ = signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	}
	return state.ctx
}

// Must returns v. If err is not nil it prints it and ends the program: for cells and
// small programs, where that is what one would write every time.
func Must[T any](v T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
	return v
}

// store is where runs are kept: METAMERS_RUNS, by default the cache folder's runs.
func store() (*runs.Store, error) {
	dir := os.Getenv("METAMERS_RUNS")
	if dir == "" {
		dir = place.Runs()
	}
	return runs.Open(dir)
}
