package study

import (
	"context"
	"fmt"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// batch is a number of images, or metamer.AutoBatch, "auto" in a plan.
type batch int

// UnmarshalYAML reads a number or auto.
func (b *batch) UnmarshalYAML(data []byte) error {
	text := strings.TrimSpace(string(data))
	if *b = 0; text == "0" { // the recipe's default
		return nil
	}
	n, err := metamer.ParseBatch(text)
	*b = batch(n)
	return err
}

// MarshalYAML writes what UnmarshalYAML reads.
func (b batch) MarshalYAML() ([]byte, error) {
	if b == metamer.AutoBatch {
		return []byte("auto"), nil
	}
	return fmt.Append(nil, int(b)), nil
}

// Batched is the plan with a batch by number, which an engine chooses where it is auto.
func (p Plan) Batched(ctx context.Context, e api.Engine, set *images.Set) (Plan, error) {
	if p.Settings.Batch != metamer.AutoBatch {
		return p, nil
	}
	q := api.Batch{Count: max(set.Of, set.Len()), Size: set.Size}
	for _, models := range p.Sets {
		for _, stage := range p.Stages {
			q.Recipes = append(q.Recipes, p.Recipe(models, stage))
		}
	}
	n, err := e.Batch(ctx, q)
	p.Settings.Batch = batch(n)
	return p, err
}
