package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	_ "github.com/ensemble-metamers/metamers/metamerkit/images/photos" // the default null set
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/synth"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

const (
	// nullBatch is the number of images of a null set that are read at once. It is the
	// same for every run, so that all runs have the same null distribution, to the bit.
	nullBatch = 16
	// maxNullBytes bounds what null distributions take in memory: those of 5,000 layers with
	// the default null set.
	maxNullBytes = 256 << 20
	// maxNullSets is how many null sets are kept; each that is given has two keys.
	maxNullSets = 8
)

// nullMemory is what the activations of a null set may take while its pairs are compared;
// beyond it they are computed again in blocks.
var nullMemory int64 = 1 << 30 // tests make it small

// nullSet is a null set as its pairs are compared.
type nullSet struct {
	metamer.NullRef
	images *images.Set // nil where nothing is tested
}

// nullSetKey names a null set by the images that are given, or by name, size and stamp of
// its files.
type nullSetKey struct {
	given *images.Set
	name  string
	size  int
	files string
}

// nullKey names the null distribution of a model at a layer.
type nullKey struct {
	net    zoo.Key
	layer  string
	images string // SHA-256 of the null set
	size   int
}

// nullSet prepares a null set for images of a size: one that is given, or one by name (a
// set, or a folder or file).
func (e *Engine) nullSet(name string, given *images.Set, size int) (*nullSet, error) {
	if name == metamer.NoNull {
		return &nullSet{NullRef: metamer.NullRef{Name: name}}, nil
	}
	key := nullSetKey{given: given}
	if given != nil {
		name = cmp.Or(name, given.Name)
	} else {
		name = cmp.Or(name, metamer.DefaultNull)
		key = nullSetKey{name: name, size: size, files: filesStamp(name)}
	}
	set, err := e.nullSets.Do(key, func() (*nullSet, error) { return openNullSet(name, given, size) })
	if err == nil && set.images != given {
		e.nullSets.Put(nullSetKey{given: set.images}, set) // requests carry these
	}
	return set, err
}

func openNullSet(name string, given *images.Set, size int) (*nullSet, error) {
	if given == nil {
		o := images.Options{Size: size}
		if name == metamer.DefaultNull {
			o.Folder = os.DevNull // which holds no file of this name
		}
		var err error
		if given, err = images.Open([]string{name}, o); err != nil {
			return nil, fmt.Errorf("engine: null set: %w", err)
		}
	}
	if given.Size != size {
		return nil, fmt.Errorf("engine: the null set %s has images of %d², the run's are of %d²: expected the same size", name, given.Size, size)
	}
	set := &nullSet{images: distinct(given)}
	n := set.images.Len()
	set.NullRef = metamer.NullRef{Name: name, Count: n, SHA256: set.images.SHA256(), Pairs: n * (n - 1) / 2}
	return set, nil
}

// NullSet opens the null set that a recipe names for images of a size, and says what it is.
func (e *Engine) NullSet(name string, size int) (metamer.NullRef, error) {
	set, err := e.nullSet(name, nil, size)
	if err != nil {
		return metamer.NullRef{}, err
	}
	return set.NullRef, nil
}

// filesStamp tells the files of a null set from themselves after a change; "" for a set
// that has none.
func filesStamp(name string) string {
	if images.IsNamed(name) {
		return ""
	}
	var b strings.Builder
	_ = filepath.WalkDir(name, func(path string, _ fs.DirEntry, err error) error {
		b.WriteString(fileStamp(path))
		return err // opening the set reports it
	})
	return b.String()
}

// distinct is a set without labels, and without images whose pixels are those of another;
// of more than MaxNullImages it takes as many at equal distances.
func distinct(set *images.Set) *images.Set {
	seen := map[[sha256.Size]byte]bool{}
	var pick []int
	for i := range set.Len() {
		h, buf := sha256.New(), []byte(nil)
		for _, p := range set.Image(i) {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(p))
		}
		h.Write(buf)
		if sum := [sha256.Size]byte(h.Sum(nil)); !seen[sum] {
			seen[sum] = true
			pick = append(pick, i)
		}
	}
	if n := len(pick); n > metamer.MaxNullImages {
		for k := range metamer.MaxNullImages {
			pick[k] = pick[k*n/metamer.MaxNullImages]
		}
		pick = pick[:metamer.MaxNullImages]
	}
	out := &images.Set{Name: set.Name, Size: set.Size, Paths: set.Paths}
	for _, i := range pick {
		out.Names, out.Labels, out.Pixels = append(out.Names, set.Names[i]), append(out.Labels, -1), append(out.Pixels, set.Image(i)...)
	}
	return out
}

// withNull puts the null set of a request, as its pairs are compared, in its place, and
// in the recipe.
func (e *Engine) withNull(q Request) (Request, error) {
	if q.Images == nil {
		return q, nil // reported where images are needed
	}
	set, err := e.nullSet(q.Recipe.Null.Name, q.Null, q.Images.Size)
	if err != nil {
		return q, err
	}
	q.Recipe.NullPairs, q.Recipe.Null, q.Null = 0, set.NullRef, set.images
	return q, nil
}

// nullOf is the null set of a run that is evaluated.
func (e *Engine) nullOf(q Evaluation, run *metamer.Run) (*nullSet, error) {
	size := run.Recipe.Images.Size
	if q.Null != nil || q.NullName != "" {
		return e.nullSet(q.NullName, q.Null, size)
	}
	own := run.Recipe.Null // none in runs of before and in metamers made elsewhere
	set, err := e.nullSet(own.Name, nil, size)
	if same := err == nil && set.SHA256 == own.SHA256; same || own.SHA256 == "" {
		return set, err
	}
	for _, paths := range images.Origins(nullOrigin(own)) { // where it was when runs were made
		if len(paths) != 1 {
			continue
		}
		if moved, err := e.nullSet(paths[0], nil, size); err == nil && moved.SHA256 == own.SHA256 {
			named := *moved
			named.Name = own.Name
			return &named, nil
		}
	}
	if err == nil {
		err = fmt.Errorf("its images have the SHA-256 %.12s…, the recipe says %.12s…", set.SHA256, own.SHA256)
	}
	return nil, fmt.Errorf("engine: the null set %s of run %s cannot be opened again, so that another must be named (--null): %w", own.Name, run.ID, err)
}

// nullOrigin is what the files of a null set are remembered by. Its SHA-256 alone is not enough:
// a null set has no image twice, and may so have the pixels of other images than its files hold.
func nullOrigin(n metamer.NullRef) string { return "null-" + n.SHA256 }

// null returns the null distribution of a model, which is open, at a layer.
func (e *Engine) null(ctx context.Context, s synth.TappedModel, set *nullSet) (*evaluate.Null, error) {
	if set.Untested() != "" {
		return evaluate.Untestable(s.Card.Name, set.NullRef), nil
	}
	size := set.images.Size
	if dist := e.cachedNull(s, set.NullRef, size); dist != nil {
		return dist, nil
	}
	r := &reading{e: e, of: set.Name, pixels: set.images.Pixels, n: set.Count, per: set.images.Size * set.images.Size * 3, batch: nullBatch, memory: nullMemory, layer: 0, logits: -1}
	var err error
	if r.probe, r.products, err = e.nullProbe(s, r.n, set.images.Size); err != nil {
		return nil, err
	}
	r.classes, r.categories = make([]int, r.n), make([]int, r.n)
	r.keep = int64(r.n)*int64(r.Dim())*4 <= r.memory/3
	values, err := r.gram(ctx, false)
	if err != nil {
		return nil, err
	}
	ranks, err := r.gram(ctx, true)
	if err != nil {
		return nil, err
	}
	dist, err := evaluate.NewNull(s.Card.Name, set.NullRef, values, ranks)
	if err == nil {
		e.nulls.Put(nullKeyOf(s, set.NullRef, size), dist)
		_ = cacheNull(e.nullFiles, e.nullFileKey(s, set.NullRef, size), dist) // without it the next process computes it again
	}
	return dist, err
}

func nullKeyOf(s synth.TappedModel, set metamer.NullRef, size int) nullKey {
	return nullKey{s.Net.Key, s.Layer, set.SHA256, size}
}

// cachedNull returns a null distribution from memory or disk, nil if neither has it.
func (e *Engine) cachedNull(s synth.TappedModel, set metamer.NullRef, size int) *evaluate.Null {
	key := nullKeyOf(s, set, size)
	dist, ok := e.nulls.Get(key)
	if !ok {
		if dist = loadNull(e.nullFiles, e.nullFileKey(s, set, size), s.Card.Name, set); dist == nil {
			return nil
		}
		e.nulls.Put(key, dist)
	}
	named := *dist // the images may have been called otherwise then
	named.Set = set.Name
	return &named
}

// nullProbe compiles what a null distribution of n images of a size needs. The layer that is
// compared is the first one that the probe reads.
func (e *Engine) nullProbe(s synth.TappedModel, n, size int) (*synth.Probe, evaluate.Products, error) {
	p, err := e.probe(s, nullBatch, size, layersOf(s)...)
	if err != nil {
		return nil, nil, err
	}
	dim := 1
	for _, d := range p.Shapes[0] {
		dim *= d
	}
	products, err := e.products(n, dim)
	return p, products, err
}
