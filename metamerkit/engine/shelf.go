package engine

import (
	"slices"
	"sync"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// shelf keeps what observers made of reference images for the evaluations that come: a
// study evaluates its runs one by one, and their references are the same. A reading is
// taken off for use and put back; the one put back last is let go last.
type shelf struct {
	mu       sync.Mutex
	readings []*reading

	metricsOf string // what metrics are of
	metrics   metamer.Rows
}

// take returns the reading with a name that has activations if they are wanted, nil if
// there is none.
func (s *shelf) take(name string, acts bool) *reading {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.readings, func(r *reading) bool { return r.name == name && (r.layer >= 0 || !acts) })
	if i < 0 {
		return nil
	}
	r := s.readings[i]
	s.readings = slices.Delete(s.readings, i, i+1)
	return r
}

// put puts a reading back and lets go of others until all take no more than so many
// bytes. The new one stays.
func (s *shelf) put(r *reading, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readings = append(slices.DeleteFunc(s.readings, func(o *reading) bool { return o.name == r.name }), r)
	s.trim(bytes, 1)
}

// shrink lets go of readings until all take no more than so many bytes.
func (s *shelf) shrink(bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trim(bytes, 0)
}

func (s *shelf) trim(bytes int64, stay int) {
	total := int64(0)
	for _, r := range s.readings {
		total += r.bytes()
	}
	for total > bytes && len(s.readings) > stay {
		total -= s.readings[0].bytes()
		s.readings = slices.Delete(s.readings, 0, 1)
	}
}

// without lets go of what was read with a model, by its key.
func (s *shelf) without(net string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readings = slices.DeleteFunc(s.readings, func(r *reading) bool { return r.net == net })
}

// measured returns image metrics of references, nil where those kept are not of these.
func (s *shelf) measured(of string) metamer.Rows {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.metricsOf != of {
		return nil
	}
	return slices.Clone(s.metrics)
}

func (s *shelf) note(of string, metrics metamer.Rows) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.metricsOf, s.metrics = of, slices.Clone(metrics)
}

// bytes is what a reading takes in memory.
func (r *reading) bytes() (n int64) {
	for _, a := range r.held {
		n += 4 * int64(len(a))
	}
	for _, g := range []*evaluate.Gram{r.values, r.ranks} {
		if g != nil {
			n += 8 * int64(g.N) * int64(g.N)
		}
	}
	return n
}
