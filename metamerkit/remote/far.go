package remote

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/ensemble-metamers/metamers/metamerkit/ask"
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

// shelf is what a server keeps of far clients: the stores that they named, and the image
// sets that it was sent last.
type shelf struct {
	mu     sync.Mutex
	stores []*runs.Store
	sets   []*images.Set // the latest behind
	sums   []string
}

// shelved bounds the values of the image sets that are kept.
const shelved = 128 << 20

// nearby puts this machine's store in the place of a far client's folder, and pixels in
// that of a sum.
func (s *Server) nearby(store *string, w *errand.Images, sum string) error {
	if s.Store == nil {
		return nil
	}
	if store != nil && *store != "" && !strings.Contains(*store, "://") {
		*store = s.Store.Where()
	}
	if sum == "" || w == nil {
		return nil
	}
	s.shelf.mu.Lock()
	defer s.shelf.mu.Unlock()
	i := slices.Index(s.shelf.sums, sum)
	if i < 0 {
		return fmt.Errorf("remote: the engine has forgotten the images %s: run the cell again", w.Name)
	}
	w.Pixels = s.shelf.sets[i].Pixels
	return nil
}

// putAway keeps what a far client will speak of again.
func (s *Server) putAway(set *images.Set, store *runs.Store) {
	if s.Store == nil {
		return
	}
	h := &s.shelf
	h.mu.Lock()
	defer h.mu.Unlock()
	if store != nil && !slices.ContainsFunc(h.stores, func(o *runs.Store) bool { return o.Where() == store.Where() }) {
		h.stores = append(h.stores, store)
	}
	if set == nil {
		return
	}
	sum := set.SHA256()
	if i := slices.Index(h.sums, sum); i >= 0 {
		h.sets, h.sums = slices.Delete(h.sets, i, i+1), slices.Delete(h.sums, i, i+1)
	}
	h.sets, h.sums = append(h.sets, set), append(h.sums, sum)
	total := 0
	for _, o := range h.sets {
		total += len(o.Pixels)
	}
	for total > shelved && len(h.sets) > 1 {
		total -= len(h.sets[0].Pixels)
		h.sets, h.sums = slices.Delete(h.sets, 0, 1), slices.Delete(h.sums, 0, 1)
	}
}

// store returns the store that has a run as a folder of this machine, nil for none.
func (s *Server) store(id string) *runs.Store {
	s.shelf.mu.Lock()
	stores := append([]*runs.Store{s.Store}, s.shelf.stores...)
	s.shelf.mu.Unlock()
	if len(id) != 16 || strings.Trim(id, "0123456789abcdef") != "" { // a name such as "../x"
		return nil
	}
	for _, st := range stores {
		if st == nil {
			continue
		}
		if info, err := os.Stat(filepath.Join(st.Dir, id)); err == nil && info.IsDir() {
			return st
		}
	}
	return nil
}

// fill gives runs of a far client what it left out, and the folders that they have here.
func (s *Server) fill(ctx context.Context, list []*metamer.Run) error {
	if s.Store == nil {
		return nil
	}
	for _, r := range list {
		r.Dir = ""
		st := s.store(r.ID)
		if st == nil {
			if r.Metamers == nil {
				return fmt.Errorf("remote: the engine has lost run %s: run the cell again", r.ID)
			}
			continue
		}
		r.Dir = filepath.Join(st.Dir, r.ID)
		if r.Metamers != nil {
			continue
		}
		kept, err := st.LoadContext(ctx, r.ID)
		if err != nil {
			return err
		}
		r.Metamers = kept.Metamers
	}
	return nil
}

func (s *Server) have(w http.ResponseWriter, r *http.Request) {
	var q have
	s.work(w, r, &q, func(context.Context, *answer) (event, error) {
		a := &have{}
		for _, id := range q.Runs {
			if s.store(id) != nil {
				a.Runs = append(a.Runs, id)
			}
		}
		s.shelf.mu.Lock()
		defer s.shelf.mu.Unlock()
		for _, sum := range q.Images {
			if slices.Contains(s.shelf.sums, sum) {
				a.Images = append(a.Images, sum)
			}
		}
		return event{Have: a}, nil
	})
}

// run sends a run that the server has.
func (s *Server) run(w http.ResponseWriter, r *http.Request) {
	var q have
	s.work(w, r, &q, func(ctx context.Context, _ *answer) (event, error) {
		if len(q.Runs) != 1 {
			return event{}, fmt.Errorf("remote: asked for %d runs, expected 1", len(q.Runs))
		}
		st := s.store(q.Runs[0])
		if st == nil {
			return event{}, fmt.Errorf("remote: the engine has lost run %s: run the cell again", q.Runs[0])
		}
		run, err := st.LoadContext(ctx, q.Runs[0])
		if err != nil {
			return event{}, err
		}
		return event{Run: errand.PackRun(run)}, nil
	})
}

// packRun leaves the pixels of a saved run out where that is asked for.
func packRun(r *metamer.Run, brief bool) *errand.Run {
	w := errand.PackRun(r)
	if brief && r.Dir != "" {
		w.Metamers, w.Start, w.Run.Trace = nil, nil, metamer.Trace{}
	}
	return w
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
func (c *Client) synthesizeFar(ctx context.Context, q ask.Synthesis) (run *metamer.Run, err error) {
	w := packSynthesis(q)
	w.Brief = q.Store != nil
	if w.Images, w.ImagesSum, err = c.withoutPixels(ctx, q.Images, w.Images); err != nil {
		return nil, err
	}
	e, err := c.events(ctx, pathSynth, w, q.Progress, q.Warn)
	if err != nil {
		return nil, err
	}
	if e.Run == nil {
		return nil, c.odd()
	}
	made, err := e.Run.Unpack()
	if err != nil {
		return nil, err
	}
	made.Dir = "" // is there, not here
	if q.Store == nil {
		return made, nil
	}
	if run, err = q.Store.There(ctx, made.ID); err == nil {
		run.Cached = made.Cached
		return run, nil
	} else if !runs.Missing(err) {
		return nil, err
	}
	if made.Metamers == nil {
		if e, err = c.events(ctx, pathRun, have{Runs: []string{made.ID}}, nil, nil); err != nil {
			return nil, err
		}
		if e.Run == nil {
			return nil, c.odd()
		}
		cached := made.Cached
		if made, err = e.Run.Unpack(); err != nil {
			return nil, err
		}
		made.Dir, made.Cached = "", cached
	}
	return keep(ctx, q, made)
}

// keep saves a run in the store of the request.
func keep(ctx context.Context, q ask.Synthesis, made *metamer.Run) (run *metamer.Run, err error) {
	work, run, err := q.Store.Begin(ctx, made.Recipe)
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

// lighten leaves out of an evaluation what the far engine has.
func (c *Client) lighten(ctx context.Context, w *evaluation) (err error) {
	set, err := w.Images.Set()
	if err != nil {
		return err
	}
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

// small is a preview in 8 bits, of no more images than a cell shows side by side. size is
// that of an image, in pixels a side.
func small(preview []float32, size int) []byte {
	if preview == nil {
		return nil
	}
	n := 12
	if size > 64 {
		n = 6
	}
	out := make([]byte, min(len(preview), n*size*size*3))
	for i := range out {
		out[i] = byte(min(max(preview[i], 0), 1)*255 + 0.5)
	}
	return out
}

// large is the inverse of small.
func large(b []byte) []float32 {
	out := make([]float32, len(b))
	for i, v := range b {
		out[i] = float32(v) / 255
	}
	return out
}
