package remote

import (
	"context"
	"fmt"
	"slices"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/errand"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

// An engine on another machine keeps runs in a store of its own (Server.Store), where it
// finds them again and keeps rows beside them; the client keeps a copy in the store that
// it was given. A store at a URL both use. Image sets and runs are told by their sums, so
// that each crosses the wire once: a set of 64 images of 224² is 39 MB.

// have asks which runs and image sets the server has, and answers.
type have struct {
	Runs   []string // IDs
	Images []string // SHA-256
}

// has asks a far engine what it has.
func (c *Client) has(ctx context.Context, q have) (have, error) {
	e, err := c.events(ctx, pathHave, q, nil, nil)
	if err != nil {
		return have{}, err
	}
	if e.Have == nil {
		return have{}, c.odd()
	}
	return *e.Have, nil
}

// withoutPixels returns w without its pixels, and their sum, if the far engine has them.
func (c *Client) withoutPixels(ctx context.Context, set *images.Set, w *errand.Images) (*errand.Images, string, error) {
	if set == nil {
		return w, "", nil
	}
	sum := set.SHA256()
	h, err := c.has(ctx, have{Images: []string{sum}})
	if err != nil || len(h.Images) == 0 {
		return w, "", err
	}
	light := *w
	light.Pixels = nil
	return &light, sum, nil
}

// synthesizeFar is Synthesize by an engine on another machine: the run that it made or
// had is copied into the store here, unless that has it.
func (c *Client) synthesizeFar(ctx context.Context, q api.Synthesis) (run *metamer.Run, err error) {
	w := packSynthesis(q)
	w.Brief = q.Store != ""
	if w.Images, w.ImagesSum, err = c.withoutPixels(ctx, q.Images, w.Images); err != nil {
		return nil, err
	}
	e, err := c.events(ctx, pathSynth, w, q.Progress, q.Warn)
	if err != nil {
		return nil, err
	}
	made, err := c.unpack(e)
	if err != nil {
		return nil, err
	}
	made.Dir = "" // is there, not here
	if q.Store == "" {
		return made, nil
	}
	store, err := runs.Open(q.Store)
	if err != nil {
		return nil, err
	}
	if run, err = store.There(ctx, made.ID); err == nil {
		run.Cached = made.Cached
		return run, nil
	} else if !runs.Missing(err) {
		return nil, err
	}
	if made.Metamers == nil {
		if e, err = c.events(ctx, pathRun, have{Runs: []string{made.ID}}, nil, nil); err != nil {
			return nil, err
		}
		cached := made.Cached
		if made, err = c.unpack(e); err != nil {
			return nil, err
		}
		made.Dir, made.Cached = "", cached
	}
	return keep(ctx, store, q, made)
}

// keep saves a run in the store of the request.
func keep(ctx context.Context, store *runs.Store, q api.Synthesis, made *metamer.Run) (run *metamer.Run, err error) {
	work, run, err := store.Begin(ctx, made.Recipe)
	if err != nil || run != nil { // another process was faster
		return run, err
	}
	work.Warn = q.Warn
	if work.ID != made.ID {
		work.Close()
		return nil, fmt.Errorf("remote: the engine's run %s has the recipe of run %s", made.ID, work.ID)
	}
	var extra map[string]func(string) error
	if q.Extra != nil {
		extra = q.Extra(made)
	}
	if err := work.Finish(made, extra); err != nil {
		work.Close()
		return nil, err
	}
	return made, work.Close()
}

// lighten leaves out of an evaluation of a set what the far engine has.
func (c *Client) lighten(ctx context.Context, set *images.Set, w *evaluation) (err error) {
	if w.Images, w.ImagesSum, err = c.withoutPixels(ctx, set, w.Images); err != nil {
		return err
	}
	var ids []string
	for _, r := range w.Runs {
		ids = append(ids, r.Run.ID)
	}
	h, err := c.has(ctx, have{Runs: ids})
	if err != nil {
		return err
	}
	for _, r := range w.Runs {
		r.Run.Dir = ""
		if slices.Contains(h.Runs, r.Run.ID) {
			r.Metamers = nil
		}
	}
	return nil
}

// large is the inverse of small.
func large(b []byte) []float32 {
	out := make([]float32, len(b))
	for i, v := range b {
		out[i] = float32(v) / 255
	}
	return out
}
