package server

import (
	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/cache"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

const (
	mostPixels  = 128 << 20 // values of the image sets in memory, and as many of the runs
	mostStudies = 8
)

// imageCache has the image sets that were used last.
type imageCache struct {
	*cache.Cache[imageKey, imageSet]
}

// imageKey names a set. Sets of the same pixels may have several names.
type imageKey struct{ sum, name string }

type imageSet struct {
	sum  string
	spec string // by which it was opened, "" if it cannot be opened by name
	set  *images.Set
}

func newImageCache() imageCache {
	return imageCache{cache.New[imageKey](mostPixels, func(s imageSet) int { return len(s.set.Pixels) }, nil)}
}

// put adds a set and returns its SHA-256.
func (c imageCache) put(spec string, set *images.Set) string {
	k := imageKey{set.SHA256(), set.Name}
	if old, ok := c.Peek(k); ok && spec == "" {
		spec = old.spec
	}
	c.Put(k, imageSet{k.sum, spec, set})
	return k.sum
}

// get returns the set with a SHA-256 and, if that is given, a name, or a
// *api.MissingImagesError.
func (c imageCache) get(ref metamer.ImageRef) (*images.Set, error) {
	s, ok := c.Find(func(s imageSet) bool { return s.sum == ref.SHA256 && (ref.Name == "" || s.set.Name == ref.Name) })
	if !ok {
		return nil, &api.MissingImagesError{Images: ref}
	}
	return s.set, nil
}

// opened returns the set that was opened by a name, nil if there is none.
func (c imageCache) opened(spec string) (*images.Set, string) {
	s, _ := c.Find(func(s imageSet) bool { return s.spec == spec })
	return s.set, s.sum
}

// pixelsOf counts the values of a run.
func pixelsOf(r *metamer.Run) int { return len(r.Metamers) + len(r.Start) }
