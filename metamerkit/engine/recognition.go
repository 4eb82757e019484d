package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

func (p *observation) recognizability(ctx context.Context) error {
	const name = metamer.Recognizability
	c := p.u.observer.Card
	if c.Classes == 0 {
		p.none(name, c.Name+" has no classifier")
		return nil
	}
	for _, r := range []*reading{p.ref, p.met} {
		if err := r.finish(ctx); err != nil {
			return err
		}
	}
	if err := p.each(name, evaluate.Same(p.ref.classes, p.met.classes), func(int) string { return "the reference's logits are not numbers" }); err != nil {
		return err
	}
	labels, why := trueLabels(p.u.refs, c.Labels, c.Classes)
	noLabel := func(int) string { return "the image has no label" }
	if why != "" {
		p.none(name+"-true", why)
	} else if err := p.each(name+"-true", evaluate.Same(labels, p.met.classes), noLabel); err != nil {
		return err
	}
	if c.Classes != 1000 || !strings.HasPrefix(strings.ToLower(c.Labels), "imagenet") {
		return nil
	}
	if err := p.each(name+"-16", evaluate.Same(p.ref.categories, p.met.categories), func(int) string { return "the reference's logits are not finite" }); err != nil {
		return err
	}
	if why != "" {
		p.none(name+"-16-true", why)
		return nil
	}
	categories := make([]int, len(labels))
	for i, l := range labels {
		categories[i] = evaluate.CategoryOf(l)
	}
	return p.each(name+"-16-true", evaluate.Same(categories, p.met.categories), func(i int) string {
		if labels[i] < 0 {
			return noLabel(i)
		}
		return "the image's class is in none of the 16 categories"
	})
}

// trueLabels returns the images' labels, if they are classes of the observer's.
func trueLabels(set *images.Set, labels string, classes int) ([]int, string) {
	if !slices.ContainsFunc(set.Labels, func(l int) bool { return l >= 0 }) {
		return nil, "the images have no labels"
	}
	if len(set.ClassNames) != classes || (labels == "cifar10") != slices.Equal(set.ClassNames, images.CIFARClasses()) {
		return nil, fmt.Sprintf("the images' labels are not those of %s", labels)
	}
	return set.Labels, ""
}
