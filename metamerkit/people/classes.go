package people

import (
	"fmt"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Classes are the choices of an experiment, and which of them is right for each image.
type Classes struct {
	Names  []string
	Of     string // "labels", or the model that says so
	Answer []int  // of each image; -1: none of the choices
}

// imagenet is the number of classes of ImageNet-1k, for which there are the 16 categories.
const imagenet = 1000

// Labelled takes the labels of an image set: ImageNet's as the 16 categories, others as
// they are.
func Labelled(set *metamer.ImageSet) (Classes, error) {
	labelled := false
	for _, l := range set.Labels {
		labelled = labelled || l >= 0
	}
	if !labelled {
		return Classes{}, fmt.Errorf("experiment: the images %s have no labels: a folder gets them from a file labels.tsv, or --answers MODEL takes a model's classes", set.Name)
	}
	c := Classes{Of: "labels"}
	return c, c.take(set.ClassNames, set.Labels)
}

// Label takes the classes of a source from the labels of its images.
func (s *Source) Label() (err error) {
	if s.Classes, err = Labelled(s.References); err == nil && s.Others != nil {
		s.OtherClasses, err = Labelled(s.Others)
	}
	return err
}

// ByModel takes the classes that a model gives to the images, by its logits.
func ByModel(model string, names []string, logits [][]float32) (Classes, error) {
	c := Classes{Of: model}
	classes := make([]int, len(logits))
	for i, l := range logits {
		classes[i] = evaluate.Class(l)
		if len(l) == imagenet {
			classes[i] = evaluate.Category(l)
		}
	}
	if len(names) == imagenet {
		c.Names, c.Answer = categories(), classes
		return c, nil
	}
	return c, c.take(names, classes)
}

func (c *Classes) take(names []string, classes []int) error {
	if len(names) == imagenet {
		c.Names = categories()
		for _, k := range classes {
			c.Answer = append(c.Answer, evaluate.CategoryOf(k))
		}
		return nil
	}
	if len(names) < 2 || len(names) > len(allKeys) {
		return fmt.Errorf("experiment: there are %d classes, expected 2 to %d, or the %d of ImageNet, of which people get the 16 categories", len(names), len(allKeys), imagenet)
	}
	c.Names, c.Answer = names, classes
	return nil
}

func categories() []string {
	out := make([]string, len(evaluate.Categories))
	for i, c := range evaluate.Categories {
		out[i] = c.Name
	}
	return out
}

// allKeys are the keys of answers where there are many. Sixteen lie as a square.
const (
	allKeys = "1234567890qwertyuiopasdfghjklzxcvbnm"
	square  = "1234qwerasdfzxcv"
)

func choices(names []string) []Choice {
	keys := allKeys
	if len(names) > 10 && len(names) <= len(square) {
		keys = square
	}
	out := make([]Choice, len(names))
	for i, n := range names {
		out[i] = Choice{n, keys[i : i+1]}
	}
	return out
}
