package engine

import (
	"context"
	"os"
	"path/filepath"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
	"github.com/ensemble-metamers/metamers/metamerkit/synth"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// prefetch compiles what a recipe will need soon while its steps are taken: first what its
// own match statistics need, then all that the next recipe does. Whatever fails here fails again,
// and is reported, where it is needed. It ends with ctx, between two compilations.
func (e *Engine) prefetch(ctx context.Context, q Request, r metamer.Recipe, tapped []synth.TappedModel) {
	defer func() { _ = recover() }() // of a request that is not this one's
	if ctx.Err() != nil || e.openTests(ctx, r, tapped) != nil || q.Next == nil {
		return
	}
	null := q.Recipe.Null
	q.Recipe, q.Next = *q.Next, nil
	q.Recipe.NullPairs, q.Recipe.Null = 0, null // that of the images
	if !e.fits(q.Recipe) || e.inFolder(q) {
		return
	}
	r, tapped, err := e.resolve(q)
	if err != nil || ctx.Err() != nil || e.enoughMemory(tapped, r) != nil {
		return
	}
	if _, err := e.loop(ctx, tapped, r, q.Null); err == nil {
		_ = e.openTests(ctx, r, tapped)
	}
}

// openTests compiles what the match statistics of a recipe need.
func (e *Engine) openTests(ctx context.Context, r metamer.Recipe, tapped []synth.TappedModel) error {
	for _, s := range tapped {
		s, err := e.exact(s, r)
		if err != nil {
			return err
		}
		if _, err := e.probe(s, r.Batch, r.Images.Size, layersOf(s)...); err != nil {
			return err
		}
		if r.Null.Untested() == "" && e.cachedNull(s, r.Null, r.Images.Size) == nil {
			if _, _, err := e.nullProbe(s, r.Null.Count, r.Images.Size); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// fits reports whether the models of a recipe find room beside those that are open, so
// that opening them early drives none out. What is derived of weights is taken for as
// much again.
func (e *Engine) fits(r metamer.Recipe) bool {
	total := e.held()
	for _, m := range r.Tapped() {
		c, err := zoo.Lookup(m.Name)
		if err != nil {
			return false
		}
		if key, err := keyOf(c, r.Precision); err != nil {
			return false
		} else if _, open := e.nets.Peek(key); open {
			continue
		}
		path, err := Locate(c)
		if err != nil {
			return false
		}
		info, err := os.Stat(path)
		if err != nil {
			return false
		}
		total += 2 * int(info.Size())
	}
	return total <= e.Weights
}

// inFolder reports whether the run of a request is in the store's folder already, whole
// or not.
func (e *Engine) inFolder(q Request) bool {
	if q.Store == "" || unopened(q.Recipe) {
		return false
	}
	r, err := e.named(q)
	if err != nil {
		return false
	}
	store, err := runs.Locate(q.Store)
	if err != nil {
		return false
	}
	_, err = os.Stat(filepath.Join(store.Dir, r.ID()))
	return err == nil
}
