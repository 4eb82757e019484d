// Package desk does the errands of notebook cells (package errand) in the process that
// holds the engine, or in one that reaches it: it opens images, carries out recipes and
// plans, draws, and says how far it is. What cells would have to link for that, and load
// each time, is here once.
package desk

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/errand"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
	"github.com/ensemble-metamers/metamers/metamerkit/study"
)

// previewEvery is how often emerging metamers are shown: often enough to watch, seldom
// enough to cost little.
const previewEvery = 700 * time.Millisecond

// Limits of what is remembered between errands.
const (
	keptStudies = 8
	keptPixels  = 64 << 20 // values of image sets
)

// Desk does errands with an engine. It is an errand.Desk, safe for use by several
// goroutines.
type Desk struct {
	Engine api.Engine
	// Extra, if set, returns further files to save with each run (see api.Synthesis).
	Extra func(refs *images.Set) func(*metamer.Run) map[string]func(path string) error

	opening sync.Mutex
	opened  []opened // the last used behind

	mu      sync.Mutex
	studies []studied // the last used behind
}

type opened struct {
	key string
	set *images.Set
}

type studied struct {
	id     string
	result *study.Result
}

// job is one errand under way.
type job struct {
	*Desk
	ctx  context.Context
	q    errand.Request
	show func(errand.Event)
}

// Do implements errand.Desk.
func (d *Desk) Do(ctx context.Context, q errand.Request, show func(errand.Event)) (*errand.Reply, error) {
	var mu sync.Mutex
	j := &job{Desk: d, ctx: ctx, q: q, show: func(e errand.Event) {
		mu.Lock()
		defer mu.Unlock()
		show(e)
	}}
	switch {
	case q.Open != nil:
		s, err := j.open(q.Open.Spec, q.Open.Size)
		return &errand.Reply{Images: errand.PackImages(s)}, err
	case q.Models != nil:
		return j.models()
	case q.Synthesize != nil:
		return j.synthesize(q.Synthesize)
	case q.Evaluate != nil:
		return j.evaluate(q.Evaluate)
	case q.Study != nil:
		return j.study(q.Study)
	case q.Recall != nil:
		return j.recall(q.Recall)
	case q.Draw != nil:
		return j.draw(q.Draw)
	}
	return nil, errors.New("desk: the errand asks for nothing")
}

func (j *job) warn(text string) { j.show(errand.Event{Warning: text}) }

func (j *job) live(refs *images.Set) *live { return newLive(refs, j.q.Notebook, j.show) }

// store is the one that the program has.
func (j *job) store() (*runs.Store, error) {
	if j.q.Store == "" {
		return nil, errors.New("desk: the errand names no store for runs")
	}
	return runs.Open(j.q.Store)
}

func (j *job) models() (*errand.Reply, error) {
	list, err := j.Engine.Models(j.ctx)
	if err != nil {
		return nil, err
	}
	r := &errand.Reply{}
	for _, m := range list {
		r.Models = append(r.Models, errand.Model{Card: m.Card, Missing: m.Missing})
	}
	return r, nil
}

func (j *job) synthesize(q *errand.Synthesis) (*errand.Reply, error) {
	refs, err := q.Images.Set()
	if err != nil {
		return nil, err
	}
	st, err := j.store()
	if err != nil {
		return nil, err
	}
	q.Recipe.Null.Name = j.nullName(q.Recipe.Null.Name)
	a := api.Synthesis{Recipe: q.Recipe, Images: refs, Store: st.Where(), PreviewEvery: previewEvery, Warn: j.warn}
	if j.Extra != nil {
		a.Extra = j.Extra(refs)
	}
	l := j.live(refs)
	a.Progress = l.synthesis(q.Recipe.WithDefaults())
	run, err := j.Engine.Synthesize(j.ctx, a)
	l.end(err)
	if err != nil {
		return nil, err
	}
	return &errand.Reply{Runs: []*errand.Run{errand.PackRun(run)}}, nil
}

// nullName is the name of a null set as the engine opens it: paths are relative to the
// program's folder.
func (j *job) nullName(name string) string {
	if name == "" || name == metamer.NoNull || images.IsNamed(name) || filepath.IsAbs(name) || j.q.Folder == "" {
		return name
	}
	return filepath.Join(j.q.Folder, name)
}

func (j *job) evaluate(q *errand.Evaluation) (*errand.Reply, error) {
	refs, err := q.Images.Set()
	if err != nil {
		return nil, err
	}
	l := j.live(nil)
	a := api.Evaluation{Images: refs, Observers: q.Observers, Warn: j.warn}
	a.Progress = func(p metamer.Progress) { l.part(p.What, float64(p.Step)/float64(max(p.Steps, 1)), 0) }
	for i, r := range q.Runs {
		if r == nil {
			l.end(nil)
			return nil, fmt.Errorf("desk: run %d of the errand is empty", i)
		}
		run, err := r.Unpack()
		if err != nil {
			l.end(nil)
			return nil, err
		}
		a.Runs = append(a.Runs, run)
	}
	rows, err := j.Engine.Evaluate(j.ctx, a)
	l.end(err)
	if err != nil {
		return nil, err
	}
	return &errand.Reply{Rows: errand.PackRows(rows)}, nil
}

// open opens an image set. Sets that cannot change are kept: those with a name.
func (j *job) open(spec []string, size int) (*images.Set, error) {
	if len(spec) == 1 { // a line, which may name several
		var err error
		if spec, err = images.Split(spec[0], j.q.Folder); err != nil {
			return nil, err
		}
	}
	o := images.Options{Size: size, Folder: j.q.Folder}
	if !images.IsNamed(spec...) {
		s, err := images.Open(spec, o)
		if err != nil {
			return nil, err
		}
		for _, n := range s.Notes {
			j.warn(n)
		}
		return s, nil
	}
	if images.IsCIFAR(spec[0]) && j.q.Data != dataHere() {
		return nil, fmt.Errorf("desk: METAMERS_DATA is %q in this program and %q in the engine, which reads CIFAR-10: stop the engine (metamers engine stop), and it starts again with yours", j.q.Data, dataHere())
	}
	key := fmt.Sprintf("%s %d %s", spec[0], size, j.q.Folder)
	j.opening.Lock()
	defer j.opening.Unlock()
	if i := slices.IndexFunc(j.opened, func(o opened) bool { return o.key == key }); i >= 0 {
		o := j.opened[i]
		j.opened = append(slices.Delete(j.opened, i, i+1), o)
		return o.set, nil
	}
	s, err := images.Open(spec, o)
	if err != nil {
		return nil, err
	}
	j.opened = append(j.opened, opened{key, s})
	for total := 0; ; {
		for _, o := range j.opened {
			total += len(o.set.Pixels)
		}
		if total <= keptPixels {
			return s, nil
		}
		j.opened, total = slices.Delete(j.opened, 0, 1), 0
	}
}
