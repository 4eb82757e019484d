package study

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
)

// distortionStore keeps distortions beside the runs of a store: for each image, in the folder
// .distortions, a JSON file with the numbers, written last, and an NPZ file with the directions.
// Names begin with a hash of what a plan settles, by which a forecast finds them, and end with
// one of all that they depend on. Of an object store it is the folder of local copies. A store
// without a folder keeps nothing.
type distortionStore struct{ dir string }

func newDistortionStore(s *runs.Store) *distortionStore {
	if s == nil || s.Dir == "" {
		return &distortionStore{}
	}
	return &distortionStore{filepath.Join(s.Dir, ".distortions")}
}

// distortionKey is all that distortions of an image depend on.
type distortionKey struct {
	Models    []metamer.ModelRef `json:"models"` // in a forecast by their names only
	Stage     string             `json:"stage"`
	Image     string             `json:"image"` // SHA-256 of its pixels
	Products  int                `json:"products"`
	Tolerance float64            `json:"tolerance"`
	Floor     float64            `json:"floor"`
	Seed      uint64             `json:"seed"`
	Backend   string             `json:"backend,omitempty"`
	Versions  map[string]string  `json:"versions,omitempty"`
}

// planned is the key of image i without what a plan does not settle.
func plannedDistortion(q api.Distorting, refs *images.Set, i int) distortionKey {
	return distortionKey{Models: metamer.Refs(q.Models...), Stage: q.Stage, Image: refs.Slice(i, i+1).Unlabelled().SHA256(),
		Products: q.Products, Tolerance: q.Tolerance, Floor: q.Floor, Seed: q.Seed}
}

// hash names a key.
func (k distortionKey) hash() string {
	text, err := json.Marshal(k)
	if err != nil {
		panic("study: " + err.Error()) // numbers that were checked to be finite
	}
	return fmt.Sprintf("%.8x", sha256.Sum256(text))
}

// path is the file of image i without an ending; run, of the same set at the same stage, has
// the layers, the weights and what computes.
func (s *distortionStore) path(run *metamer.Run, q api.Distorting, refs *images.Set, i int) string {
	k := plannedDistortion(q, refs, i)
	name := k.hash()
	k.Models, k.Backend, k.Versions = nil, run.Recipe.Backend, run.Recipe.Versions
	for _, m := range run.Recipe.Models {
		m.WarmUp = "" // is of the run alone
		k.Models = append(k.Models, m)
	}
	return filepath.Join(s.dir, name+"-"+k.hash())
}

// has reports whether distortions by what a plan settles are kept.
func (s *distortionStore) has(q api.Distorting, refs *images.Set, i int) bool {
	if s.dir == "" {
		return false
	}
	kept, err := filepath.Glob(filepath.Join(s.dir, plannedDistortion(q, refs, i).hash()+"-*.json"))
	return err == nil && len(kept) > 0
}

// read reports whether the distortions of image i are kept whole, and takes them.
func (s *distortionStore) read(run *metamer.Run, q api.Distorting, refs *images.Set, i int, to *api.Distortions) bool {
	if s.dir == "" || run == nil {
		return false
	}
	path := s.path(run, q, refs, i)
	data, err := os.ReadFile(path + ".json")
	var d api.Distortions
	if err != nil || json.Unmarshal(data, &d) != nil || len(d.Members) != len(q.Models) || ReadDirections(path+".npz", refs.Size, &d) != nil {
		return false // they are made again
	}
	d.Image = refs.Names[i] // the same pixels may have another name
	*to = d
	return true
}

// write keeps the distortions of image i.
func (s *distortionStore) write(run *metamer.Run, q api.Distorting, refs *images.Set, i int, d api.Distortions) error {
	if s.dir == "" || run == nil {
		return nil
	}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	path := s.path(run, q, refs, i)
	if err := WriteDirections(path+".npz", refs.Size, &d); err != nil {
		return err
	}
	data, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	return paths.WriteBytes(path+".json", append(data, '\n'))
}

// directions are those of an image by name.
func directions(d *api.Distortions) map[string]*api.Floats {
	out := map[string]*api.Floats{"most": &d.Most.Direction, "least": &d.Least.Direction}
	if d.Pair != nil {
		out["first"], out["second"] = &d.Pair.First.Direction, &d.Pair.Second.Direction
	}
	return out
}

// WriteDirections writes the directions of an image of size pixels a side as NPZ: arrays most
// and least and, for a set of two and more, first and second, each [size,size,3] of length 1.
func WriteDirections(path string, size int, d *api.Distortions) error {
	var out []weights.Tensor
	for _, name := range []string{"most", "least", "first", "second"} {
		if v := directions(d)[name]; v != nil {
			out = append(out, weights.Tensor{Name: name, Shape: []int{size, size, 3}, Float: *v})
		}
	}
	return weights.WriteNPZ(path, out)
}

// ReadDirections reads what WriteDirections wrote. The error says which direction the file
// lacks, or has in another size.
func ReadDirections(path string, size int, d *api.Distortions) error {
	all, err := weights.OpenArrays(path)
	if err != nil {
		return err
	}
	for name, to := range directions(d) {
		if all[name] == nil || len(all[name].Float) != size*size*3 {
			return fmt.Errorf("%s has no direction %q", path, name)
		}
		*to = all[name].Float
	}
	return nil
}
