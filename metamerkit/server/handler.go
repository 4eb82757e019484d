// Package server runs an engine for programs that do not link one, above all notebook cells.
// It answers their requests (package api) over a Unix socket that only its user can open, or
// over TCP with a token: it opens images, carries out recipes and plans, draws, and reports
// progress. It does not link GoMLX.
package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/cache"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
	"github.com/ensemble-metamers/metamers/metamerkit/study"
)

// previewEvery is how often emerging metamers are shown: often enough to watch, seldom
// enough to cost little.
const previewEvery = 700 * time.Millisecond

// Handler answers requests with an engine. It is an api.Service, safe for use by several
// goroutines. New makes one.
type Handler struct {
	Engine api.Engine
	// Extra, if set, returns further files to save with each run (see api.Synthesis).
	Extra func(refs *images.Set) func(*metamer.Run) map[string]func(path string) error
	// Store, if set, is the store of runs of clients on other machines, whose folders are not
	// on this machine.
	Store *runs.Store

	sets    imageCache
	runs    *cache.Cache[string, *metamer.Run]  // by ID
	studies *cache.Cache[string, *study.Result] // by ID
}

// New returns a handler of an engine, with empty caches.
func New(e api.Engine) *Handler {
	return &Handler{
		Engine: e, sets: newImageCache(), runs: cache.New[string](mostPixels, pixelsOf, nil),
		studies: cache.New[string, *study.Result](mostStudies, nil, nil),
	}
}

// job is one request under way.
type job struct {
	*Handler
	ctx  context.Context
	q    api.Request
	show func(api.Event)
}

// Do implements api.Service.
func (h *Handler) Do(ctx context.Context, q api.Request, show func(api.Event)) (*api.Reply, error) {
	if h.Store != nil && q.Store != "" && !strings.Contains(q.Store, "://") {
		q.Store = h.Store.Where()
	}
	var mu sync.Mutex
	j := &job{Handler: h, ctx: ctx, q: q, show: func(e api.Event) {
		mu.Lock()
		defer mu.Unlock()
		show(e)
	}}
	switch {
	case q.Open != nil:
		return j.openImages(q.Open)
	case q.Put != nil:
		return j.put(q.Put)
	case q.Pixels != nil:
		return j.pixels(q.Pixels)
	case q.Models != nil:
		list, err := j.Engine.Models(ctx)
		return &api.Reply{Models: list}, err
	case q.Synthesize != nil:
		return j.synthesize(*q.Synthesize)
	case q.Evaluate != nil:
		return j.evaluate(*q.Evaluate)
	case q.Distort != nil:
		return j.distort(*q.Distort)
	case q.Study != nil:
		return j.study(q.Study)
	case q.Parts != nil:
		return j.parts(q.Parts)
	case q.Draw != nil:
		return j.draw(q.Draw)
	case q.Copy != nil:
		return j.files(q.Copy)
	case q.Experiment != nil:
		return j.experiment(q.Experiment)
	}
	return nil, errors.New("server: the request is empty")
}

func (j *job) warn(text string) { j.show(api.Event{Warning: text}) }

func (j *job) live(refs *images.Set) *live { return newLive(refs, j.q.Notebook, j.show) }

// store opens the store of the request.
func (j *job) store() (*runs.Store, error) {
	if j.q.Store == "" {
		return nil, errors.New("server: the request names no store for runs")
	}
	return runs.Open(j.q.Store)
}

func (j *job) synthesize(q api.Synthesis) (*api.Reply, error) {
	refs, err := j.sets.get(q.Recipe.Images)
	if err != nil {
		return nil, err
	}
	st, err := j.store()
	if err != nil {
		return nil, err
	}
	refs, q.Recipe.Images = q.Recipe.Variants.Of(refs), metamer.ImageRef{}
	if q.Recipe.Null.Name, err = j.nullName(q.Recipe.Null.Name); err != nil {
		return nil, err
	}
	q.Images, q.Given, q.Null, q.Store, q.PreviewEvery, q.Warn = refs, nil, nil, st.Where(), previewEvery, j.warn
	if j.Extra != nil {
		q.Extra = j.Extra(refs)
	}
	l := j.live(refs)
	q.Progress = l.synthesis(q.Recipe.WithDefaults())
	run, err := j.Engine.Synthesize(j.ctx, q)
	l.end(err)
	if err != nil {
		return nil, err
	}
	j.runs.Put(run.ID, run)
	return &api.Reply{Runs: []*metamer.Run{api.LightRun(run)}, Saved: saved(run)}, nil
}

// saved are the IDs of the runs that a store has.
func saved(list ...*metamer.Run) (ids []string) {
	for _, r := range list {
		if r.Dir != "" {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// nullName is the name of a null set as the engine opens it: paths are relative to the
// program's folder.
func (j *job) nullName(typed string) (string, error) {
	name, err := metamer.NullName(j.q.Folder, typed)
	if err != nil {
		return "", fmt.Errorf("null set: %w", err)
	}
	if name == "" || name == metamer.NoNull || images.IsNamed(name) || filepath.IsAbs(name) || j.q.Folder == "" {
		return name, nil
	}
	return filepath.Join(j.q.Folder, name), nil
}

// evaluate measures runs by their IDs. If their references are not one set, the engine opens
// each set again by the name in the recipe.
func (j *job) evaluate(q api.Evaluation) (*api.Reply, error) {
	list := q.Runs
	q.Runs, q.Images, q.Null, q.Warn = nil, nil, nil, j.warn
	var err error
	if q.NullName, err = j.nullName(q.NullName); err != nil {
		return nil, err
	}
	for i, r := range list {
		if r == nil {
			return nil, fmt.Errorf("server: run %d of the request is empty", i)
		}
		run, err := j.run(r.ID)
		if err != nil {
			return nil, err
		}
		q.Runs = append(q.Runs, run)
		// Of variants the program names the references themselves.
		refs, err := j.sets.get(metamer.ImageRef{SHA256: cmp.Or(r.Recipe.Images.SHA256, run.Recipe.Images.SHA256)})
		if err != nil {
			return nil, err
		}
		if i == 0 {
			q.Images = refs
		} else if q.Images != refs {
			q.Images = nil
		}
	}
	l := j.live(nil)
	q.Progress = func(p metamer.Progress) { l.part(p.What, float64(p.Step)/float64(max(p.Steps, 1)), 0) }
	rows, err := j.Engine.Evaluate(j.ctx, q)
	l.end(err)
	if err != nil {
		return nil, err
	}
	return &api.Reply{Rows: api.PackRows(rows)}, nil
}

// run returns a run by its ID, from memory or from the store of the request.
func (j *job) run(id string) (*metamer.Run, error) {
	if r, ok := j.runs.Get(id); ok {
		return r, nil
	}
	st, err := j.store()
	if err != nil {
		return nil, err
	}
	r, err := st.LoadContext(j.ctx, id)
	if err != nil {
		return nil, fmt.Errorf("the engine has lost run %s, run the cell again: %w", id, err)
	}
	j.runs.Put(r.ID, r)
	return r, nil
}

// files reads a run's folder.
func (j *job) files(q *api.Copy) (*api.Reply, error) {
	st, err := j.store()
	if err != nil {
		return nil, err
	}
	files, err := st.Files(q.Run)
	return &api.Reply{Files: files}, err
}

// pixels returns the pixels of a run or an image set.
func (j *job) pixels(q *api.Pixels) (*api.Reply, error) {
	if q.Run != "" {
		r, err := j.run(q.Run)
		if err != nil {
			return nil, err
		}
		return &api.Reply{Pixels: r.Metamers, Start: r.Start}, nil
	}
	s, err := j.sets.get(q.Images)
	if err != nil {
		return nil, err
	}
	return &api.Reply{Pixels: s.Pixels}, nil
}

// put stores an image set that the client made or opened.
func (j *job) put(q *api.Put) (*api.Reply, error) {
	set := q.Images
	set.Pixels, set.Paths = q.Pixels, nil
	if err := api.CheckImages(&set); err != nil {
		return nil, err
	}
	return &api.Reply{SHA256: j.sets.put("", &set)}, nil
}

func (j *job) openImages(q *api.Open) (*api.Reply, error) {
	s, sum, err := j.open(q.Spec, q.Size)
	if err != nil {
		return nil, err
	}
	return &api.Reply{Images: api.LightImages(s), SHA256: sum}, nil
}

// open opens an image set. Sets with a name stay in memory, because they cannot change.
func (j *job) open(spec []string, size int) (set *images.Set, sum string, err error) {
	if j.Store != nil { // the program's folders are on another machine
		if len(spec) != 1 || !images.IsNamed(spec...) {
			return nil, "", api.ErrElsewhere
		}
	} else if len(spec) == 1 { // a line, which may name several
		if spec, err = images.Split(spec[0], j.q.Folder); err != nil {
			return nil, "", err
		}
	}
	o := images.Options{Size: size, Folder: j.q.Folder}
	key := ""
	if images.IsNamed(spec...) {
		key = fmt.Sprintf("%s %d %s", spec[0], size, j.q.Folder)
		if set, sum := j.sets.opened(key); set != nil {
			return set, sum, nil
		}
		if data := os.Getenv("METAMERS_DATA"); j.Store == nil && images.IsCIFAR(spec[0]) && j.q.Data != data {
			return nil, "", fmt.Errorf("server: METAMERS_DATA is %q in this program and %q in the engine, which reads CIFAR-10: stop the engine (metamers engine stop), and it starts again with yours", j.q.Data, data)
		}
	}
	if set, err = images.Open(spec, o); err != nil {
		if j.Store != nil {
			return nil, "", fmt.Errorf("%w: %w", api.ErrElsewhere, err)
		}
		return nil, "", err
	}
	for _, n := range set.Notes {
		j.warn(n)
	}
	return set, j.sets.put(key, set), nil
}
