package zoo

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
)

// PyTorch makes the opener of a family whose weights are a PyTorch state dict.
// The layout rules are the same for every model: a rank-4 kernel goes from OIHW
// to HWIO, a matrix called weight from [out,in] to [in,out], a leading "module."
// goes, and counters of batches are left out. What a family's files name in other
// ways is put right by adapt, in order.
func PyTorch(build Builder, adapt ...Adapt) Opener {
	return func(c *card.Card, path string) (*Net, error) {
		forward, err := build(c.Config)
		if err != nil {
			return nil, err
		}
		want, err := Variables(c, forward)
		if err != nil {
			return nil, err
		}
		f, err := weights.OpenVerified(path, c.Weights.SHA256)
		if err != nil {
			return nil, err
		}
		for _, a := range adapt {
			if f.Tensors, err = a(f.Tensors); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
		}
		w, err := match(f, want)
		if err != nil {
			return nil, err
		}
		return &Net{Forward: forward, Weights: w}, nil
	}
}

// Adapt turns the tensors of a file, by their keys, into those that the family
// names: renamed, joined, or left out. It returns the map as it is when the file
// is not of the layout that it knows.
type Adapt func(tensors map[string]*weights.Tensor) (map[string]*weights.Tensor, error)

// Variables returns the shape of each variable that forward reads, by scope path.
func Variables(c *card.Card, forward Forward) (map[string]shapes.Shape, error) {
	var store *model.Store
	err := sketch(nil, func(s *model.Scope, g *Graph) {
		store = s.Store()
		forward(s, Parameter(g, "images", shapes.Make(dtypes.Float32, 1, c.Input.Size, c.Input.Size, 3)))
	})
	if err != nil {
		return nil, fmt.Errorf("drawing its graph: %w", err)
	}
	want := map[string]shapes.Shape{}
	for v := range store.IterVariables() {
		want[v.Path()] = v.Shape()
	}
	return want, nil
}

// MismatchError lists every tensor that a file lacks or has in another shape.
type MismatchError struct {
	Path     string
	Problems []string
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("%s does not hold this model's weights: %s", e.Path, strings.Join(e.Problems, "; "))
}

func match(f *weights.File, want map[string]shapes.Shape) (map[string]*tensors.Tensor, error) {
	have := map[string]*weights.Tensor{}
	for key, t := range f.Tensors {
		key = strings.TrimPrefix(key, "module.")
		if !strings.HasSuffix(key, "num_batches_tracked") {
			have["/"+strings.ReplaceAll(key, ".", "/")] = t
		}
	}
	out := map[string]*tensors.Tensor{}
	var problems []string
	for path, shape := range want {
		key := strings.ReplaceAll(strings.TrimPrefix(path, "/"), "/", ".")
		t, ok := have[path]
		if !ok {
			problems = append(problems, "tensor "+key+" is missing")
			continue
		}
		delete(have, path)
		dims, flat := layout(t)
		if t.Float == nil || !slices.Equal(dims, shape.Dimensions) {
			problems = append(problems, fmt.Sprintf("tensor %s is %s %v, expected float %v (in this project's layout)", key, t.DType, dims, shape.Dimensions))
			continue
		}
		out[path] = tensors.FromFlatDataAndDimensions(flat, dims...)
	}
	for path := range have {
		problems = append(problems, "tensor "+strings.ReplaceAll(strings.TrimPrefix(path, "/"), "/", ".")+" belongs to no layer")
	}
	if problems != nil {
		slices.Sort(problems)
		return nil, &MismatchError{f.Path, problems}
	}
	return out, nil
}

// layout turns a PyTorch tensor into the project's layout.
func layout(t *weights.Tensor) ([]int, []float32) {
	s := t.Shape
	if t.Float == nil {
		return s, nil
	}
	switch {
	case len(s) == 4: // OIHW → HWIO
		o, i, hw := s[0], s[1], s[2]*s[3]
		out := make([]float32, len(t.Float))
		for a := range o {
			for b := range i {
				for p := range hw {
					out[(p*i+b)*o+a] = t.Float[(a*i+b)*hw+p]
				}
			}
		}
		return []int{s[2], s[3], i, o}, out
	case len(s) == 2 && strings.HasSuffix(t.Name, "weight"): // [out,in] → [in,out]
		out := make([]float32, len(t.Float))
		for a := range s[0] {
			for b := range s[1] {
				out[b*s[0]+a] = t.Float[a*s[1]+b]
			}
		}
		return []int{s[1], s[0]}, out
	}
	return s, t.Float
}
