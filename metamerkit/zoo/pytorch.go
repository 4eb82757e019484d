package zoo

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
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

// PyTorch returns the opener of a family whose weights are a PyTorch state dict. The layout
// rules are the same for all models: kernels of rank 4 go from OIHW to HWIO, matrices
// called weight from [out,in] to [in,out], prefixes of training code are removed, and batch
// counters are left out. The functions adapt then correct other names, in order. Elements
// are copied piece by piece, so that the model is in memory only once.
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
		f, err := weights.Index(path, weights.Options{SHA256: c.Weights.SHA256, Key: c.Weights.Key})
		if err != nil {
			return nil, err
		}
		defer f.Close()
		net := &Net{Forward: forward, Derived: NewDerived(), half: true}
		if net.SHA256, err = Sum(c, path, func(string) (string, error) { return f.SHA256, nil }); err != nil {
			return nil, err
		}
		if f.Key != "" {
			note := fmt.Sprintf("%s: the tensors are those of the entry %q", filepath.Base(path), f.Key)
			if len(f.Beside) > 0 {
				note += "; beside it: " + strings.Join(f.Beside, ", ")
			}
			net.Notes = append(net.Notes, note)
		} else if len(f.Beside) > 0 {
			net.Notes = append(net.Notes, fmt.Sprintf("%s: entries that are no tensors were passed over: %s", filepath.Base(path), strings.Join(f.Beside, ", ")))
		}
		for _, k := range f.Others {
			net.Notes = append(net.Notes, fmt.Sprintf("the file has a second state dict: --key %s", k))
		}
		all, notes, err := wrapping{card: c, want: want, adapt: adapt}.read(f.Tensors)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		net.Notes = append(net.Notes, notes...)
		all, notes = strangers(all, want)
		net.Notes = append(net.Notes, notes...)
		net.Weights, err = match(path, c.Classes, all, want)
		if e := (*MismatchError)(nil); errors.As(err, &e) {
			var note string
			if note, all = headless(e, c, build, all, want); note != "" {
				net.Notes = append(net.Notes, note)
				net.Weights, err = match(path, c.Classes, all, want)
			}
		}
		if err != nil {
			return nil, err
		}
		return net, nil
	}
}

// Adapt renames, joins or leaves out the tensors of a file, so that their keys are those of
// the family. It returns the map unchanged if the file has another layout. The elements are
// still in the file; weights.Tensor.Load reads them where they are needed.
type Adapt func(tensors map[string]*weights.Tensor) (map[string]*weights.Tensor, error)

// Parameters returns the number of learned values that forward reads, which excludes
// running statistics. A card whose graph cannot be drawn is an error.
func Parameters(c *card.Card, forward Forward) (n int, err error) {
	all, err := Variables(c, forward)
	for path, s := range all {
		if !strings.Contains(path, "/running_") {
			n += s.Size()
		}
	}
	return n, err
}

// Variables returns the shapes of all variables that forward reads, by scope path. A card
// whose graph cannot be drawn is an error.
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

// MismatchError lists all tensors that are missing in a file or have another shape.
type MismatchError struct {
	Path     string
	Problems []string
	Classes  int  // of the file's classifier, where it has another number than the card; 0: not known
	Headless bool // the file lacks the classifier, and nothing else
	missing  []string
}

// shown is how many problems a message shows.
const shown = 12

func (e *MismatchError) Error() string {
	s := fmt.Sprintf("%s does not hold this model's weights: %s", e.Path, strings.Join(e.Problems[:min(len(e.Problems), shown)], "; "))
	if n := len(e.Problems) - shown; n > 0 {
		s += fmt.Sprintf("; and %d more", n)
	}
	if e.Classes > 0 {
		s += fmt.Sprintf(" (the file's classifier has %d classes: give --classes %d)", e.Classes, e.Classes)
	}
	if e.Headless {
		s += " (the file has no classifier: give --classes 0)"
	}
	return s
}

// match assigns a tensor of the file to each variable of the model.
func match(path string, classes int, all map[string]*weights.Tensor, want map[string]shapes.Shape) (map[string]*tensors.Tensor, error) {
	have := map[string]*weights.Tensor{}
	for key, t := range all {
		if !strings.HasSuffix(key, "num_batches_tracked") {
			have["/"+strings.ReplaceAll(key, ".", "/")] = t
		}
	}
	var problems, missing []string
	head := 0
	for path, shape := range want {
		key := keyOf(path)
		t, ok := have[path]
		if !ok {
			problems, missing = append(problems, "tensor "+key+" is missing"), append(missing, path)
			continue
		}
		if dims := layout(key, t.Shape); !t.IsFloat() || !slices.Equal(dims, shape.Dimensions) {
			problems = append(problems, fmt.Sprintf("tensor %s is %s %v, expected float %v (in this project's layout)", key, t.DType, dims, shape.Dimensions))
			if n := len(dims); classes > 0 && n > 0 && n == shape.Rank() && shape.Dim(-1) == classes && slices.Equal(dims[:n-1], shape.Dimensions[:n-1]) {
				head = dims[n-1]
			}
		}
	}
	for path := range have {
		if _, ok := want[path]; !ok {
			problems = append(problems, "tensor "+keyOf(path)+" belongs to no layer")
		}
	}
	if problems != nil {
		slices.Sort(problems)
		return nil, &MismatchError{Path: path, Problems: problems, Classes: head, missing: missing}
	}
	out := map[string]*tensors.Tensor{}
	for _, at := range slices.Sorted(maps.Keys(want)) {
		to := tensors.FromShape(want[at])
		var err error
		f := finite{unfit: notFinite}
		if strings.HasSuffix(at, "/running_var") {
			f.unfit = noVariance
		}
		tensors.MustMutableFlatData(to, func(flat []float32) { err = arrange(keyOf(at), have[at], flat, &f) })
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if f.bad > 0 {
			return nil, &NotFiniteError{path, keyOf(at), f.first, f.bad, to.Shape().Size()}
		}
		out[at] = to
	}
	return out, nil
}

func keyOf(path string) string { return strings.ReplaceAll(strings.TrimPrefix(path, "/"), "/", ".") }

// layout is the shape that a PyTorch tensor has in this project.
func layout(key string, s []int) []int {
	switch {
	case len(s) == 4: // OIHW → HWIO
		return []int{s[2], s[3], s[1], s[0]}
	case len(s) == 2 && strings.HasSuffix(key, "weight"): // [out,in] → [in,out]
		return []int{s[1], s[0]}
	}
	return s
}

// arrange writes a tensor's elements in this project's layout. A rank-4 kernel is a
// matrix [out, in·h·w] whose columns are put in another order.
func arrange(key string, t *weights.Tensor, to []float32, f *finite) error {
	s := t.Shape
	if len(s) != 4 && (len(s) != 2 || !strings.HasSuffix(key, "weight")) {
		return t.Pieces(1, func(first int, v []float32) { f.look(v); copy(to[first:], v) })
	}
	out, in, area := s[0], s[1], 1
	if len(s) == 4 {
		area = s[2] * s[3]
	}
	row := in * area
	if row == 0 {
		return nil
	}
	return t.Pieces(row, func(first int, v []float32) {
		f.look(v)
		a, rows := first/row, len(v)/row
		for b := range in {
			for p := range area {
				column := to[(p*in+b)*out+a:]
				for r := range rows {
					column[r] = v[r*row+b*area+p]
				}
			}
		}
	})
}
