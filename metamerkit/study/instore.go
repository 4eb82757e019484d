package study

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

// inStore says which runs of these images, by these versions, a store holds, and of which of
// them rows by so many observers are kept. It tells runs by what a plan settles: weights are
// ignored, so that a forecast needs no model. Of a store elsewhere it knows what was read here.
func inStore(store *runs.Store, set *images.Set, computes string) (func(r metamer.Recipe, observers int) (run, rows bool), error) {
	dirs := map[string]string{}
	sum := set.SHA256()
	if store != nil {
		ids, err := store.IDs()
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, id := range ids {
			dir := filepath.Join(store.Dir, id)
			var r metamer.Recipe
			data, err := os.ReadFile(filepath.Join(dir, "recipe.json"))
			if err != nil || json.Unmarshal(data, &r) != nil || r.Images.SHA256 != sum || r.Computed() != computes {
				continue // of other images or versions, or damaged: making it will tell
			}
			dirs[planned(r)] = dir
		}
	}
	return func(r metamer.Recipe, observers int) (run, rows bool) {
		r.Images = metamer.ImageRef{Name: set.Name, Count: set.Len(), Size: set.Size, SHA256: sum}
		r.Batch = min(r.Batch, set.Len())
		dir, run := dirs[planned(r)]
		for _, name := range r.Choices() {
			if !run {
				dir, run = dirs[planned(r.Chosen(name))]
			}
		}
		if !run {
			return false, false
		}
		kept, err := filepath.Glob(filepath.Join(dir, "rows", "*.csv"))
		return true, err == nil && len(kept) >= observers
	}, nil
}

// planned is a recipe without what a plan does not settle.
func planned(r metamer.Recipe) string {
	models := make([]metamer.ModelRef, len(r.Tapped()))
	for i, m := range r.Tapped() {
		models[i].Name = m.Name
	}
	if r.Against != nil {
		against := *r.Against
		against.Models, models, r.Against = models[len(r.Models):], models[:len(r.Models)], &against
	}
	r.Models, r.Backend, r.Versions, r.Images.Name, r.Null = models, "", nil, "", metamer.NullRef{Name: r.Null.Name}
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Sprint(r) // NaN: equal to no other
	}
	return string(text)
}

// Before says what a resolved plan takes by what is known of this machine; it measures
// nothing.
func (p Plan) Before(s *Speeds, store *runs.Store, set *images.Set) (*Forecast, error) {
	there, err := inStore(store, set, s.Computes)
	if err != nil {
		return nil, err
	}
	f := p.Forecast(s, nil, set, there)
	f.Products, f.Distortions, err = p.distortionProducts(newDistortionStore(store), set)
	return f, err
}
