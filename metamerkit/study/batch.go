package study

import (
	"context"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Batched is the plan with a batch by number, which an engine chooses where it is auto.
func (p Plan) Batched(ctx context.Context, e api.Engine, set *images.Set) (Plan, error) {
	if p.Settings.Batch != metamer.AutoBatch {
		return p, nil
	}
	q := api.Batch{Count: max(set.Of, set.Len()), Size: set.Size}
	for _, c := range p.Cells() {
		q.Recipes = append(q.Recipes, p.Of(c))
	}
	n, err := e.Batch(ctx, q)
	p.Settings.Batch = api.BatchSize(n)
	return p, err
}
