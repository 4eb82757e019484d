package study

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Cell is a run of a plan before it is made: a model set at a stage, in a plan with pairs
// against another set or alone.
type Cell struct {
	Set     []string
	Stage   string
	Against []string // the models of the other set; nil: alone, or those of the plan's settings
}

// Cells are the runs of a plan in their order, set by set and stage by stage; of a plan with
// pairs first those that are against none.
func (p Plan) Cells() (out []Cell) {
	for _, set := range p.Sets {
		for _, stage := range p.Stages {
			out = append(out, Cell{Set: set, Stage: stage})
		}
	}
	if !p.Pairs {
		return out
	}
	for _, set := range p.Sets {
		for _, stage := range p.Stages {
			for _, other := range p.Sets {
				if !meet(set, other) {
					out = append(out, Cell{set, stage, other})
				}
			}
		}
	}
	return out
}

// Of is the plan's recipe for a cell.
func (p Plan) Of(c Cell) metamer.Recipe { return p.Recipe(c.Set, c.Stage, c.Against...) }

// Only is the plan reduced to one cell. A pair is measured as in the whole plan: its match only.
// Distortions are left to the whole plan.
func (p Plan) Only(c Cell) Plan {
	if p.Pairs {
		p.Settings.Against, p.Pairs = p.opposed(c.Against), false
		if c.Against != nil {
			p.Observers, p.Measures = c.Set, pairMeasures
		}
	}
	p.Sets, p.Stages, p.Distortions = [][]string{c.Set}, []string{c.Stage}, 0
	return p
}

// pairMeasures is what is measured of a run of a pair, by its members.
var pairMeasures = []string{"success"}

// opposed is how a plan with pairs is against some models, nil for none.
func (p Plan) opposed(models []string) *metamer.Against {
	if len(models) == 0 {
		return nil
	}
	var a metamer.Against
	if p.Settings.Against != nil {
		a = *p.Settings.Against
	}
	a.Models = metamer.Refs(models...)
	return &a
}

func (p Plan) validatePairs() error {
	switch {
	case p.Pairs && len(p.Settings.Against.Names()) > 0:
		return fmt.Errorf("settings: against: models %v in a plan with pairs, in which each set is against each other set; expected none", p.Settings.Against.Names())
	case p.Pairs && p.Settings.Variants != nil:
		return fmt.Errorf("pairs: a plan cannot ask for variants and for pairs")
	case p.Pairs && len(p.Sets) == 1 && !pattern(p.Sets[0][0]):
		return fmt.Errorf("pairs: the plan has one set, expected at least two")
	}
	return nil
}

// paired reports a resolved plan without a pair.
func (p Plan) paired() error {
	if p.Pairs && len(p.Cells()) == len(p.Sets)*len(p.Stages) {
		return fmt.Errorf("pairs: every two of the sets share a model, expected some that do not")
	}
	return nil
}

// alone are the runs without those of pairs.
func (r *Result) alone() []*metamer.Run {
	return slices.DeleteFunc(slices.Clone(r.Runs), func(run *metamer.Run) bool { return r.isPair(run) })
}

// whoParts says how often the images of pairs are metamers for one set and none for the other.
func (r *Result) whoParts() string {
	var parts []string
	for _, stage := range r.Plan.Stages {
		apart, pass, tested, pairs := 0, 0, 0, 0
		for _, run := range r.Runs {
			if run.Recipe.Stage != stage || !r.isPair(run) {
				continue
			}
			p, t := run.Tally()
			a, _ := run.Parted()
			apart, pass, tested, pairs = apart+a, pass+p, tested+t, pairs+1
		}
		if tested > 0 {
			parts = append(parts, fmt.Sprintf("%s, %d pairs: of %d images %d are metamers for the first set, of these %d for no member of the second", stage, pairs, tested, pass, apart))
		}
	}
	if parts == nil {
		return ""
	}
	return capital(strings.Join(parts, "; ")) + ". Table 6 has each pair, Figure 8 how far they are apart."
}

// isPair reports whether a run is of a pair.
func (r *Result) isPair(run *metamer.Run) bool { return r.Plan.Pairs && run.Recipe.Against != nil }
