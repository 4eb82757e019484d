package main

import (
	"context"
	"fmt"
	"os"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/engine"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// checkGradient computes the gradient of the inversion loss at the late stage, of one
// photograph against another, and warns where it is not finite: the model then evaluates
// images, but no metamer of it can be synthesised.
func checkGradient(ctx context.Context, e *engine.Engine, m *card.Card) error {
	set, err := images.Open([]string{"photos:2"}, images.Options{Size: m.Input.Size, Filter: m.Input.Filter, Crop: m.Input.Crop})
	if err != nil {
		return err
	}
	one := func(k int) *images.Set {
		per := len(set.Pixels) / set.Len()
		return &images.Set{Name: set.Names[k], Size: set.Size, Names: set.Names[k : k+1], Labels: set.Labels[k : k+1], Pixels: set.Pixels[k*per : (k+1)*per]}
	}
	late := m.Stages[metamer.Stages[2]].Layer
	r := metamer.Recipe{Models: []metamer.ModelRef{{Name: m.Name}}, Stage: late, Loss: "relative-l2", Start: metamer.Start{Kind: "image"}, Batch: 1}.Paper()
	d, err := e.Gradients(ctx, engine.Request{Images: one(0), Given: one(1), Recipe: r})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		fmt.Fprintf(os.Stderr, "warning: %s: no gradient of the layer %s can be computed, so that no metamers can be synthesised: %v\n", m.Name, late, err)
	case len(badGradients(d, set.Size)) > 0:
		fmt.Fprintf(os.Stderr, "warning: %s: the gradient of the layer %s by the pixels is NaN or infinite (%s against %s), so that no metamers can be synthesised; a square root or a distance at 0 is the usual cause\n",
			m.Name, late, set.Names[1], set.Names[0])
	default:
		fmt.Printf("checked: the gradient of %s by the pixels is finite\n", late)
	}
	return nil
}

// badGradients lists the images whose gradient is not finite.
func badGradients(d *engine.Gradients, size int) (bad []int) {
	per := size * size * 3
	for k := range len(d.Gradient) / per {
		if !allFinite(d.Gradient[k*per : (k+1)*per]) {
			bad = append(bad, k)
		}
	}
	return bad
}

// at are the names at some indices.
func at(names []string, indices []int) (out []string) {
	for _, k := range indices {
		out = append(out, names[k])
	}
	return out
}
