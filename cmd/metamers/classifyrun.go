package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/engine"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// compared is what one model says about the references and the metamers of a run.
type compared struct {
	Run, Model string
	Member     bool // of the run's model set
	Images     []string
	Reference  []guess // the likeliest class of each image; its number is -1 where the model has none
	Metamer    []guess
	Same       int // images of the same class
}

// runs are the runs that the arguments name, nil if these are images.
func (c *classifyCmd) runs() (found []*metamer.Run, err error) {
	s, err := c.locate()
	if err != nil {
		return nil, err
	}
	for i, arg := range c.Images {
		id, isRun, err := runOrPath(s, arg)
		if err != nil {
			return nil, err
		}
		if isRun != (found != nil) && i > 0 {
			return nil, fmt.Errorf("%s and %s: expected either runs or images", c.Images[0], arg)
		}
		if !isRun {
			continue
		}
		run, err := s.Load(id)
		if err != nil {
			return nil, err
		}
		found = append(found, run)
	}
	if found != nil && c.Labels != "" {
		return nil, fmt.Errorf("--labels is for image files: for a run, the classes of references and metamers are compared")
	}
	if found != nil && c.Top != 0 {
		return nil, fmt.Errorf("--top applies to image files only: for a run, the most probable classes of reference and metamer are compared")
	}
	return found, nil
}

// compareAll prints for each run and model the classes of references and metamers.
func (c *classifyCmd) compareAll(ctx context.Context, g *globals, e *engine.Engine, found []*metamer.Run, zero *engine.ZeroShot) error {
	var all []compared
	for _, run := range found {
		refs, err := referencesOf(run, c.References, "bicubic")
		if err != nil {
			return err
		}
		models := c.Models
		if len(models) == 0 {
			models = run.Recipe.ModelNames()
		}
		mets := *refs
		mets.Pixels = run.Metamers
		for _, name := range models {
			m, err := zoo.Lookup(name)
			if err != nil {
				return err
			}
			if m.Classes == 0 && zero == nil {
				return &engine.NoClassifierError{Card: m}
			}
			z := zero
			if m.Classes > 0 {
				z = nil
			}
			r := compared{Run: run.ID, Model: m.Name, Member: slices.Contains(run.Recipe.ModelNames(), m.Name), Images: refs.Titles()}
			of, err := c.logits(ctx, g, e, m.Name, refs, z)
			if err != nil {
				return err
			}
			by, err := c.logits(ctx, g, e, m.Name, &mets, z)
			if err != nil {
				return err
			}
			for i := range of {
				a, b := likeliest(m, z, of[i]), likeliest(m, z, by[i])
				r.Reference, r.Metamer = append(r.Reference, a), append(r.Metamer, b)
				if a.Class == b.Class && a.Class >= 0 {
					r.Same++
				}
			}
			all = append(all, r)
		}
	}
	if g.JSON {
		return json.NewEncoder(os.Stdout).Encode(all)
	}
	for i, run := range found {
		if i > 0 {
			fmt.Println()
		}
		if err := printCompared(os.Stdout, run, all); err != nil {
			return err
		}
	}
	return nil
}

// likeliest is the class of an image; Class is -1 where the logits are not finite.
func likeliest(m *card.Card, zero *engine.ZeroShot, l []float32) guess {
	if !allFinite(l) {
		return guess{Class: -1, Name: "none"}
	}
	k := order(l)[0]
	return guess{k, className(m, zero, k), probability(l, k)}
}

// printCompared prints a table of a run: for each image a line a model. Members of the model
// set are marked with *.
func printCompared(out io.Writer, run *metamer.Run, all []compared) error {
	r := run.Recipe
	fmt.Fprintf(out, "run %s, metamers of %s for {%s} at %s; * marks members\n", run.ID, r.Images.Name, strings.Join(r.ModelNames(), ", "), r.Stage)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "image\tmodel\treference\t\tmetamer\t\tclass")
	for i := range r.Images.Count {
		image := ""
		for _, c := range all {
			if c.Run != run.ID {
				continue
			}
			if image == "" {
				image = c.Images[i]
			} else {
				image = " "
			}
			a, b := c.Reference[i], c.Metamer[i]
			same := "other"
			if a.Class == b.Class && a.Class >= 0 {
				same = "same"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%.1f %%\t%s\t%.1f %%\t%s\n", image, starred(c), a.Name, 100*a.Probability, b.Name, 100*b.Probability, same)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, c := range all {
		if c.Run == run.ID {
			fmt.Fprintf(out, "%s: the same class for %d of %d images\n", starred(c), c.Same, r.Images.Count)
		}
	}
	return nil
}

func starred(c compared) string {
	if c.Member {
		return c.Model + "*"
	}
	return c.Model
}
