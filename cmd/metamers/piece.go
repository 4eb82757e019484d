package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/engine"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
	"github.com/ensemble-metamers/metamers/metamerkit/study"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// open opens the plan's images, or the part that is wanted.
func (c *reproduceCmd) open(p study.Plan) (*images.Set, error) {
	o := images.Options{Size: p.Size}
	if (c.Set == nil) != (c.Stage == "") || c.Set == nil && (c.Part != "" || c.Against != nil) {
		return nil, fmt.Errorf("--set and --stage go together, and --part and --against with them")
	}
	if c.Part != "" {
		if c.Blocks > 0 {
			return nil, fmt.Errorf("--part and --blocks exclude each other")
		}
		var part [2]int
		if n, err := fmt.Sscanf(c.Part, "%d-%d", &part[0], &part[1]); n != 2 || err != nil || fmt.Sprintf("%d-%d", part[0], part[1]) != c.Part {
			return nil, fmt.Errorf("--part %q: expected FROM-TO, such as 32-64 for images 32 to 63", c.Part)
		}
		each := p.Settings.Variants.Each()
		if part[0]%each != 0 || part[1]%each != 0 {
			return nil, fmt.Errorf("--part %s: expected all %d variants of each image", c.Part, each)
		}
		o.Part = &[2]int{part[0] / each, part[1] / each}
	}
	return withNotes(images.OpenLine(p.Images, o))
}

// one leaves of a plan the set and stage, and the pair, that are wanted.
func (c *reproduceCmd) one(p study.Plan) (study.Plan, error) {
	full := func(names []string) (out []string) {
		for _, n := range names {
			if card, err := zoo.Lookup(n); err == nil {
				n = card.Name
			}
			out = append(out, n)
		}
		return out
	}
	cells := p.Cells()
	i := slices.IndexFunc(cells, func(of study.Cell) bool {
		return slices.Equal(full(of.Set), full(c.Set)) && of.Stage == c.Stage && slices.Equal(full(of.Against), full(c.Against))
	})
	if i < 0 {
		what := strings.Join(c.Set, "+")
		if c.Against != nil {
			what += " against " + strings.Join(c.Against, "+")
		}
		return p, fmt.Errorf("plan %s has no set %s at stage %s: its sets are %v, its stages %v", p.Name, what, c.Stage, p.Sets, p.Stages)
	}
	p = p.Only(cells[i])
	p.Groups = maps.Clone(p.Groups)
	maps.DeleteFunc(p.Groups, func(_ string, group []string) bool { return !slices.Equal(full(group), full(p.Sets[0])) })
	return p, nil
}

// piece makes one run of a plan, or part of one; with the whole images, its rows too.
func (c *reproduceCmd) piece(ctx context.Context, g *globals, e *engine.Engine, p study.Plan, set *images.Set, store *runs.Store, bar *planBar) error {
	p, err := c.one(p)
	if err != nil {
		return err
	}
	if p, err = p.Batched(ctx, e, set); err != nil {
		return err
	}
	o := study.Options{
		Store: store, Images: set, Blocks: c.Blocks, CheckpointEvery: c.Checkpoint, NoEvaluation: set.Of > 0, Progress: bar.show,
		Warn: bar.warn,
	}
	if set.Of == 0 {
		o.Extra = extras(set)
	} else if batch := p.Recipe(p.Sets[0], c.Stage).Batch / p.Settings.Variants.Each(); set.First%batch != 0 || set.Len()%batch != 0 && set.First+set.Len() != set.Of {
		return fmt.Errorf("--part %s: expected multiples of the batch, %d, so that the part has the bits of the whole", c.Part, batch)
	}
	r, err := study.Do(ctx, e, p, o)
	bar.clear()
	if err != nil {
		return err
	}
	run := r.Runs[0]
	if g.JSON {
		pass, tested := run.Tally()
		return json.NewEncoder(os.Stdout).Encode(struct {
			Runs    []string
			Cached  bool
			Recipe  metamer.Recipe
			Passed  int
			Tested  int
			Rows    int
			Seconds float64
		}{ids(r.Runs), run.Cached, run.Recipe, pass, tested, len(r.Rows), run.Seconds})
	}
	fmt.Printf("run %s\n%s\n", run.ID, ranLine(run))
	return nil
}
