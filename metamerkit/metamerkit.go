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
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/client"
	"github.com/ensemble-metamers/metamers/metamerkit/display"
	"github.com/ensemble-metamers/metamers/metamerkit/display/channel"
	"github.com/ensemble-metamers/metamers/metamerkit/display/running"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
	"github.com/ensemble-metamers/metamers/metamerkit/table"
)

// These types of other packages are declared here so that a cell needs one import.
type (
	Recipe    = metamer.Recipe
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
func Set(names ...string) (refs []metamer.ModelRef) {
	for _, n := range names {
		refs = append(refs, metamer.ModelRef{Name: n})
	}
	return refs
}

var state struct {
	sync.Mutex
	service api.Service
	ctx     context.Context
}

// Use sends all later requests to a service, such as one in this process (server.New;
// package local does so for models that a program defines), instead of the engine's
// process.
func Use(s api.Service) {
	state.Lock()
	defer state.Unlock()
	state.service = s
}

// do asks the service in use: without Use the engine in a process of its own
// (METAMERS_BACKEND chooses among several, METAMERS_ENGINE names one on another machine).
// Progress is shown meanwhile.
func do(ctx context.Context, q api.Request) (*api.Reply, error) {
	state.Lock()
	if state.service == nil {
		to := os.Stderr
		if channel.Available() {
			to = os.Stdout // which a notebook does not show as an error
		}
		state.service = &client.Client{Say: func(text string) { fmt.Fprintln(to, text) }}
	}
	service := state.service
	state.Unlock()
	q.Store, q.Data, q.Notebook = os.Getenv("METAMERS_RUNS"), os.Getenv("METAMERS_DATA"), channel.Available()
	if q.Store == "" {
		q.Store = paths.Runs()
	}
	var err error
	if q.Folder, err = os.Getwd(); err != nil {
		return nil, fmt.Errorf("metamerkit: %w", err)
	}
	if !strings.Contains(q.Store, "://") && !filepath.IsAbs(q.Store) {
		q.Store = filepath.Join(q.Folder, q.Store)
	}
	var s shower
	return client.Until(ctx, service, q, s.show)
}

// shower shows the progress of a request: in a cell as one output, elsewhere as lines.
type shower struct{ out *display.Live }

func (s *shower) show(e api.Event) {
	switch {
	case e.Warning != "":
		fmt.Fprintln(os.Stderr, e.Warning)
	case e.Shown == nil:
	case !channel.Available():
		fmt.Fprintln(os.Stderr, e.Shown.Text)
	default:
		v := shown{e.Shown}
		var err error
		if s.out == nil {
			s.out, err = display.NewLive(v)
		} else {
			err = s.out.Update(v)
		}
		if err != nil { // the work itself goes on
			fmt.Fprintln(os.Stderr, "progress:", err)
		}
	}
}

// shown is progress as a cell shows it.
type shown struct{ *api.Shown }

// MIMEBundle implements display.Bundler.
func (s shown) MIMEBundle() (map[string][]byte, error) {
	return map[string][]byte{"text/html": []byte(s.HTML), "text/plain": []byte(s.Text)}, nil
}

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
