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

	"github.com/ensemble-metamers/metamers/metamerkit/errand"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

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

// putAway keeps what a far client will speak of again. sum is the set's, "" if it is to be
// taken.
func (s *Server) putAway(set *images.Set, sum string, store *runs.Store) {
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
	if sum == "" {
		sum = set.SHA256()
	}
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
				return lost(r.ID)
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

func lost(id string) error {
	return fmt.Errorf("remote: the engine has lost run %s: run the cell again", id)
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
			return event{}, lost(q.Runs[0])
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
