package zoo

import (
	"maps"
	"slices"

	"github.com/gomlx/compute/gobackend"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// sketch runs draw on a graph of the pure-Go backend that is thrown away, with a
// store that holds the weights. Panics of graph code come back as errors.
func sketch(weights map[string]*tensors.Tensor, draw func(s *model.Scope, g *Graph)) error {
	b, err := gobackend.New("")
	if err != nil {
		return err
	}
	defer b.Finalize()
	store, err := NewStore(weights, slices.Sorted(maps.Keys(weights)))
	if err != nil {
		return err
	}
	return exceptions.TryCatch[error](func() { draw(store.RootScope(), NewGraph(b, "sketch")) })
}

// NewStore returns a GoMLX store with the weights of the given scope paths.
func NewStore(weights map[string]*tensors.Tensor, paths []string) (*model.Store, error) {
	store := model.NewStore()
	for _, p := range paths {
		v, err := store.CreateVariable(p, weights[p])
		if err != nil {
			return nil, err
		}
		v.SetTrainable(false)
	}
	return store, nil
}
