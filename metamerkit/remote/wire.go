// Package remote reaches an engine in a process of its own: HTTP over a unix socket
// that only its user can open, or over TCP with a token. It links no GoMLX.
//
// A request is one gob value, an answer a stream of gob events. When the client
// goes away the request's context ends, and with it the work.
package remote

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/ask"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

// Protocol is raised whenever what goes over the wire changes.
const Protocol = 2

const (
	contentType = "application/x-metamers-gob"

	pathHello  = "/v1/hello"
	pathSynth  = "/v1/synthesize"
	pathEval   = "/v1/evaluate"
	pathModels = "/v1/models"
	pathHold   = "/v1/hold"
	pathStop   = "/v1/stop"
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

// floats are packed as little-endian bytes: gob would take five to nine bytes a
// value and its time.
type floats []float32

// GobEncode implements gob.GobEncoder.
func (f floats) GobEncode() ([]byte, error) {
	b := make([]byte, 0, 4*len(f))
	for _, v := range f {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b, nil
}

// GobDecode implements gob.GobDecoder.
func (f *floats) GobDecode(b []byte) error {
	if len(b)%4 != 0 {
		return fmt.Errorf("remote: %d bytes of float32", len(b))
	}
	*f = make(floats, len(b)/4)
	for i := range *f {
		(*f)[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return nil
}

// imageSet is images.Set on the wire.
type imageSet struct {
	Name       string
	Size       int
	Names      []string
	Labels     []int
	ClassNames []string
	Pixels     floats
	First, Of  int
}

func packSet(s *images.Set) *imageSet {
	if s == nil {
		return nil
	}
	return &imageSet{s.Name, s.Size, s.Names, s.Labels, s.ClassNames, s.Pixels, s.First, s.Of}
}

// set checks that the parts fit each other, since it may come from anyone.
func (s *imageSet) set() (*images.Set, error) {
	if s == nil {
		return nil, nil
	}
	n := len(s.Names)
	if s.Size < 1 || s.Size > 4096 || len(s.Labels) != n || len(s.Pixels) != n*s.Size*s.Size*3 {
		return nil, fmt.Errorf("remote: image set %q of %d names, %d labels and %d values for %d² pixels", s.Name, n, len(s.Labels), len(s.Pixels), s.Size)
	}
	if s.First < 0 || s.Of < 0 || s.Of > 0 && s.First+n > s.Of || s.Of == 0 && s.First > 0 {
		return nil, fmt.Errorf("remote: image set %q of %d names is images from %d of %d", s.Name, n, s.First, s.Of)
	}
	return &images.Set{Name: s.Name, Size: s.Size, Names: s.Names, Labels: s.Labels, ClassNames: s.ClassNames, Pixels: s.Pixels, First: s.First, Of: s.Of}, nil
}

// synthesis is ask.Synthesis on the wire.
type synthesis struct {
	Recipe          metamer.Recipe
	Images, Given   *imageSet
	Store           string // what runs.Open takes; "": not saved
	Blocks          int
	CheckpointEvery time.Duration
	PreviewEvery    time.Duration
	Progress        bool
}

func packSynthesis(q ask.Synthesis) synthesis {
	w := synthesis{Recipe: q.Recipe, Images: packSet(q.Images), Given: packSet(q.Given), Blocks: q.Blocks, CheckpointEvery: q.CheckpointEvery, PreviewEvery: q.PreviewEvery, Progress: q.Progress != nil}
	if q.Store != nil {
		w.Store = q.Store.Where()
	}
	return w
}

func (w synthesis) ask() (q ask.Synthesis, err error) {
	q = ask.Synthesis{Recipe: w.Recipe, Blocks: w.Blocks, CheckpointEvery: w.CheckpointEvery, PreviewEvery: w.PreviewEvery}
	if q.Images, err = w.Images.set(); err != nil {
		return q, err
	}
	if q.Given, err = w.Given.set(); err != nil {
		return q, err
	}
	if w.Store != "" {
		q.Store, err = runs.Open(w.Store)
	}
	return q, err
}

// run is metamer.Run on the wire.
type run struct {
	Run             metamer.Run // without the pixels
	Metamers, Start floats
}

func packRun(r *metamer.Run) *run {
	w := &run{Run: *r, Metamers: r.Metamers, Start: r.Start}
	w.Run.Metamers, w.Run.Start = nil, nil
	return w
}

func (w *run) run() *metamer.Run {
	r := w.Run
	r.Metamers, r.Start = w.Metamers, w.Start
	return &r
}

// evaluation is ask.Evaluation on the wire. Of runs the engine needs neither the
// start nor the trace.
type evaluation struct {
	Evaluation ask.Evaluation // settings only
	Runs       []*run
	Images     *imageSet
	Progress   bool
}

func packEvaluation(q ask.Evaluation) evaluation {
	w := evaluation{Evaluation: q, Images: packSet(q.Images), Progress: q.Progress != nil}
	w.Evaluation.Runs, w.Evaluation.Images, w.Evaluation.Progress, w.Evaluation.Warn = nil, nil, nil, nil
	for _, r := range q.Runs {
		p := packRun(r)
		p.Start, p.Run.Trace = nil, metamer.Trace{}
		w.Runs = append(w.Runs, p)
	}
	return w
}

func (w evaluation) ask() (q ask.Evaluation, err error) {
	q = w.Evaluation
	if q.Images, err = w.Images.set(); err != nil {
		return q, err
	}
	for i, r := range w.Runs {
		if r == nil {
			return q, fmt.Errorf("remote: run %d of the request is empty", i)
		}
		q.Runs = append(q.Runs, r.run())
	}
	return q, nil
}

// progress is metamer.Progress on the wire.
type progress struct {
	Progress metamer.Progress // without the preview
	Preview  floats
}

// event is one message of an answer; exactly one field is set. Alive says that
// nothing has happened for a while.
type event struct {
	Alive    bool
	Progress *progress
	Warning  string
	Run      *run
	Rows     *rows
	Models   *modelList
	Failed   *failure
}

// rows and modelList are pointers to structures, since gob leaves empty slices out.
type (
	rows struct {
		Rows metamer.Rows   // without Made
		Made []metamer.Made // of all rows, each once
		Of   []int32        // the index in Made of each row's, -1: none
	}
	modelList struct{ Models []ask.Model }
)

func packRows(r metamer.Rows) *rows {
	w := &rows{Rows: make(metamer.Rows, len(r)), Of: make([]int32, len(r))}
	known := map[*metamer.Made]int32{}
	for i, row := range r {
		w.Of[i] = -1
		if row.Made != nil {
			k, ok := known[row.Made]
			if !ok {
				k = int32(len(w.Made))
				known[row.Made], w.Made = k, append(w.Made, *row.Made)
			}
			w.Of[i] = k
		}
		row.Made = nil
		w.Rows[i] = row
	}
	return w
}

func (w *rows) rows() (metamer.Rows, error) {
	if len(w.Of) != len(w.Rows) {
		return nil, fmt.Errorf("remote: %d rows, and how %d of them were made", len(w.Rows), len(w.Of))
	}
	for i, k := range w.Of {
		if k >= int32(len(w.Made)) {
			return nil, fmt.Errorf("remote: row %d was made as the %dth of %d", i, k, len(w.Made))
		}
		if k >= 0 {
			w.Rows[i].Made = &w.Made[k]
		}
	}
	return w.Rows, nil
}

// failure is an error on the wire: what it says, and the kinds that callers branch
// on.
type failure struct {
	Text     string
	Canceled bool
	Unknown  *metamer.UnknownError
}

func packError(err error) *failure {
	f := &failure{Text: err.Error(), Canceled: errors.Is(err, context.Canceled)}
	errors.As(err, &f.Unknown)
	return f
}

// Error implements error.
func (f *failure) Error() string { return f.Text }

// Unwrap lets errors.As and errors.Is see what the error was.
func (f *failure) Unwrap() error {
	switch {
	case f.Unknown != nil:
		return f.Unknown
	case f.Canceled:
		return context.Canceled
	}
	return nil
}
