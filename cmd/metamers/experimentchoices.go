package main

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/people"
)

// choices are what a network that sees the stimuli of an experiment answers, as indices of
// the design's choices.
func (c *experimentSimulateCmd) choices(g *globals, d *people.Design) ([]int, error) {
	var files []string
	for _, s := range d.Stimuli {
		both := []people.File{s.File}
		if s.Other != nil {
			both = append(both, s.Other.File)
		}
		for _, f := range both {
			if p := filepath.Join(c.Folder, filepath.FromSlash(f.Path)); !slices.Contains(files, p) {
				files = append(files, p)
			}
		}
	}
	set, err := images.Open(files, images.Options{Size: d.Images.Size})
	if err != nil {
		return nil, err
	}
	e, err := g.engine()
	if err != nil {
		return nil, err
	}
	classes, logits, err := classesBy(e, c.Observer, set)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(d.Choices))
	for i, ch := range d.Choices {
		names[i] = ch.Name
	}
	if d.Task == "" && !slices.Equal(names, classes.Names) {
		return nil, fmt.Errorf("experiment: %s has the classes %.100q…, expected the choices of the design, %.100q…", c.Observer, classes.Names, names)
	}
	order := map[string]int{} // sets may order files by name
	for i, name := range set.Names {
		order[name] = i
	}
	at := func(f people.File) int {
		base := filepath.Base(f.Path)
		k, ok := order[base[:len(base)-len(filepath.Ext(base))]]
		if !ok && err == nil {
			err = fmt.Errorf("experiment: stimulus %s was not opened", f.Path)
		}
		return k
	}
	out := make([]int, len(d.Stimuli))
	for i, s := range d.Stimuli {
		switch {
		case d.Task != "" && s.Condition == people.Natural:
			out[i] = s.Answer // what everybody should know: practice and catch trials
		case d.Task == people.SameDifferent:
			out[i] = people.Same
			if evaluate.Class(logits[at(s.File)]) != evaluate.Class(logits[at(s.Other.File)]) {
				out[i] = people.Different
			}
		case d.Task == people.MoreNatural:
			out[i] = s.Answer // the side of the stimulus
			if sureness(logits[at(s.Other.File)]) > sureness(logits[at(s.File)]) {
				out[i] = 1 - s.Answer
			}
		default:
			out[i] = classes.Answer[at(s.File)]
		}
	}
	return out, err
}

// sureness is the largest probability that logits give to a class.
func sureness(l []float32) float64 { return probability(l, order(l)[0]) }
