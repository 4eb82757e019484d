package server

import (
	"slices"
	"sync"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// mostPixels bounds the values of the image sets that are kept, and those of the runs.
const mostPixels = 128 << 20

// imageCache keeps the image sets used last, by SHA-256.
type imageCache struct {
	mu   sync.Mutex
	list []keptSet // the last used behind
}

type keptSet struct {
	sum string
	key string // by which it was opened, "" if it cannot be opened by name
	set *images.Set
}

// put keeps a set and returns its SHA-256.
func (c *imageCache) put(key string, set *images.Set) string {
	sum := set.SHA256()
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.IndexFunc(c.list, func(k keptSet) bool { return k.sum == sum && k.set.Name == set.Name }); i >= 0 {
		if key == "" {
			key = c.list[i].key
		}
		c.list = slices.Delete(c.list, i, i+1)
	}
	c.list = append(c.list, keptSet{sum, key, set})
	total := 0
	for _, k := range c.list {
		total += len(k.set.Pixels)
	}
	for total > mostPixels && len(c.list) > 1 {
		total -= len(c.list[0].set.Pixels)
		c.list = slices.Delete(c.list, 0, 1)
	}
	return sum
}

// get returns the set with a SHA-256 and, if that is given, a name, or a
// *api.MissingImagesError.
func (c *imageCache) get(ref metamer.ImageRef) (*images.Set, error) {
	k, ok := c.use(func(k keptSet) bool { return k.sum == ref.SHA256 && (ref.Name == "" || k.set.Name == ref.Name) })
	if !ok {
		return nil, &api.MissingImagesError{Images: ref}
	}
	return k.set, nil
}

// named returns the set that was opened by a key, nil if there is none.
func (c *imageCache) named(key string) (*images.Set, string) {
	k, _ := c.use(func(k keptSet) bool { return k.key == key })
	return k.set, k.sum
}

// use looks a set up, the last used first, and notes that it was used.
func (c *imageCache) use(is func(keptSet) bool) (keptSet, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, k := range slices.Backward(c.list) {
		if is(k) {
			c.list = append(slices.Delete(c.list, i, i+1), k)
			return k, true
		}
	}
	return keptSet{}, false
}

// runCache keeps the runs used last, by ID.
type runCache struct {
	mu   sync.Mutex
	list []*metamer.Run // the last used behind
}

func (c *runCache) put(runs ...*metamer.Run) {
	c.mu.Lock()
	defer c.mu.Unlock()
	total := 0
	for _, r := range runs {
		c.list = append(slices.DeleteFunc(c.list, func(o *metamer.Run) bool { return o.ID == r.ID }), r)
	}
	for _, r := range c.list {
		total += len(r.Metamers) + len(r.Start)
	}
	for total > mostPixels && len(c.list) > 1 {
		total -= len(c.list[0].Metamers) + len(c.list[0].Start)
		c.list = slices.Delete(c.list, 0, 1)
	}
}

func (c *runCache) get(id string) *metamer.Run {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, r := range c.list {
		if r.ID == id {
			c.list = append(slices.Delete(c.list, i, i+1), r)
			return r
		}
	}
	return nil
}
