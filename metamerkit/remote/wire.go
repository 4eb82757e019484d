// Package remote reaches an engine in a process of its own: HTTP over a unix socket
// that only its user can open, or over TCP with a token. It links no GoMLX.
//
// Over TCP the two have no folders in common: runs are kept on both sides, and pixels
// go over the wire where the other side has not got them (far.go, shelf.go).
//
// A request is one gob value, an answer a stream of gob events. When the client
// goes away the request's context ends, and with it the work.
package remote

import (
	"fmt"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/errand"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Protocol is raised whenever what goes over the wire changes.
const Protocol = 5

const (
	contentType = "application/x-metamers-gob"

	pathHello  = "/v1/hello"
	pathSynth  = "/v1/synthesize"
	pathEval   = "/v1/evaluate"
	pathModels = "/v1/models"
	pathBatch  = "/v1/batch"
	pathHold   = "/v1/hold"
	pathStop   = "/v1/stop"
	pathHave   = "/v1/have"
	pathRun    = "/v1/run"
	maxRequest = 8 << 30 // bytes of one request: 13,000 images of 224²
)

// Status is what an engine says of itself.
type Status struct {
	Protocol int
	PID      int
	Backend  string
	Program  string // path of the executable
	Stale    bool   // the executable was replaced since it was started
	Started  time.Time
	Holders  int // clients that keep it alive
	Working  int // requests under way
	MemoryMB uint64
	Models   []string // loaded
}

// synthesis is api.Synthesis on the wire.
type synthesis struct {
	Recipe          metamer.Recipe
	Images, Given   *errand.Images
	Null            *errand.Images
	Store           string // what runs.Open takes; "": not saved
	Blocks          int
	Next            *metamer.Recipe
	CheckpointEvery time.Duration
	PreviewEvery    time.Duration
	Progress        bool

	ImagesSum string // of Images sent without pixels: their SHA-256
	Brief     bool   // the run may come without pixels: it is in the store
}

func packSynthesis(q api.Synthesis) synthesis {
	w := synthesis{Recipe: q.Recipe, Images: errand.PackImages(q.Images), Given: errand.PackImages(q.Given), Null: errand.PackImages(q.Null), Blocks: q.Blocks, Next: q.Next, CheckpointEvery: q.CheckpointEvery, PreviewEvery: q.PreviewEvery, Progress: q.Progress != nil}
	w.Store = q.Store
	return w
}

func (w synthesis) ask() (q api.Synthesis, err error) {
	q = api.Synthesis{Recipe: w.Recipe, Blocks: w.Blocks, Next: w.Next, CheckpointEvery: w.CheckpointEvery, PreviewEvery: w.PreviewEvery}
	if q.Images, err = w.Images.Set(); err != nil {
		return q, err
	}
	if q.Given, err = w.Given.Set(); err != nil {
		return q, err
	}
	if q.Null, err = w.Null.Set(); err != nil {
		return q, err
	}
	q.Store = w.Store
	return q, nil
}

// evaluation is api.Evaluation on the wire. Of runs the engine needs neither the
// start nor the trace.
type evaluation struct {
	Evaluation api.Evaluation // settings only
	Runs       []*errand.Run
	Images     *errand.Images
	Null       *errand.Images
	ImagesSum  string // of Images sent without pixels: their SHA-256
	Progress   bool
}

func packEvaluation(q api.Evaluation) evaluation {
	w := evaluation{Evaluation: q, Images: errand.PackImages(q.Images), Null: errand.PackImages(q.Null), Progress: q.Progress != nil}
	w.Evaluation.Runs, w.Evaluation.Images, w.Evaluation.Null, w.Evaluation.Progress, w.Evaluation.Warn = nil, nil, nil, nil, nil
	for _, r := range q.Runs {
		p := errand.PackRun(r)
		p.Start, p.Run.Trace = nil, metamer.Trace{}
		w.Runs = append(w.Runs, p)
	}
	return w
}

func (w evaluation) ask() (q api.Evaluation, err error) {
	q = w.Evaluation
	if q.Images, err = w.Images.Set(); err != nil {
		return q, err
	}
	if q.Null, err = w.Null.Set(); err != nil {
		return q, err
	}
	for i, r := range w.Runs {
		if r == nil {
			return q, fmt.Errorf("remote: run %d of the request is empty", i)
		}
		run, err := r.Unpack()
		if err != nil {
			return q, err
		}
		q.Runs = append(q.Runs, run)
	}
	return q, nil
}

// progress is metamer.Progress on the wire.
type progress struct {
	Progress metamer.Progress // without the preview
	Preview  errand.Floats
	Small    []byte // in place of Preview for a far client: of some images, 8 bits a value
}

// event is one message of an answer; exactly one field is set. Alive says that
// nothing has happened for a while.
type event struct {
	Alive    bool
	Progress *progress
	Warning  string
	Run      *errand.Run
	Rows     *errand.Rows
	Models   *modelList
	Batch    *batch
	Have     *have
	Failed   *errand.Failure
}

// batch is what api.Engine.Batch answers.
type batch struct{ Images int }

// modelList is a pointer to a structure, since gob leaves empty slices out.
type modelList struct{ Models []api.Model }
