package benchmark

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

// Options of Do.
type Options struct {
	Store    *runs.Store // where runs are kept; nil: nowhere
	Progress func(what string, p metamer.Progress)
	Warn     func(string)
}

// Result is a benchmark carried out.
type Result struct {
	Plan   Plan
	Images *images.Set
	Cells  []*Cell // set by set, stage by stage, method by method
}

// Cell is what one method did for one model set at one stage.
type Cell struct {
	Set    []string
	Stage  string
	Method Method
	Runs   []*metamer.Run // one a seed

	Seconds float64 // wall time of the synthesis
	Final   []float64
	Passed  []float64
	// Recognized is the share of observers outside the set that give image i the
	// reference's class; Final its relative L2 distance, the mean of the members;
	// Passed is 1 where every member's verdict is pass, NaN where it is not tested. All are
	// means over seeds.
	Recognized []float64
	Curve      Curve
}

// Do carries a plan out. It can be ended at any time; the same call goes on from there.
func Do(ctx context.Context, e api.Engine, p Plan, o Options) (*Result, error) {
	if o.Progress == nil {
		o.Progress = func(string, metamer.Progress) {}
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	set, err := images.OpenLine(p.Images, images.Options{Size: p.Size})
	if err != nil {
		return nil, fmt.Errorf("benchmark: plan %s: %w", p.Name, err)
	}
	for _, n := range set.Notes {
		o.Warn(n)
	}
	res := &Result{Plan: p, Images: set}
	for _, members := range p.Sets {
		for _, stage := range p.Stages {
			var baseline *Cell
			for _, m := range p.Methods {
				c := &Cell{Set: members, Stage: stage, Method: m}
				for _, seed := range p.Seeds {
					what := fmt.Sprintf("%s, %s, %s, seed %d", label(members), stage, m.Name, seed)
					r := p.recipe(m, members, stage, seed)
					if m.AtBaseline {
						r.Stop.Loss = round(mean(baseline.Final))
					}
					run, err := e.Synthesize(ctx, api.Synthesis{Recipe: r, Images: set, Store: o.Store.Where(), Warn: o.Warn, CheckpointEvery: 30 * time.Second,
						Progress: func(pr metamer.Progress) { o.Progress(what, pr) }})
					if err != nil {
						return nil, fmt.Errorf("benchmark: %s: %w", what, err)
					}
					c.Runs = append(c.Runs, run)
				}
				if err := c.measure(ctx, e, p, set); err != nil {
					return nil, err
				}
				if baseline == nil {
					baseline = c
				}
				res.Cells = append(res.Cells, c)
			}
		}
	}
	return res, nil
}

// round keeps three digits, so that a recipe's hash does not hang on the last bit.
func round(v float64) float64 {
	if v <= 0 {
		return 0
	}
	unit := math.Pow(10, math.Floor(math.Log10(v))-2)
	return math.Ceil(v/unit) * unit
}

// measure fills in what the runs gave.
func (c *Cell) measure(ctx context.Context, e api.Engine, p Plan, set *images.Set) error {
	n := set.Len()
	c.Final, c.Passed, c.Recognized = make([]float64, n), make([]float64, n), make([]float64, n)
	seeds := float64(len(c.Runs))
	var curves []Curve
	for _, run := range c.Runs {
		c.Seconds += run.Seconds
		for _, ev := range run.Statistics {
			c.Final[ev.Image] += ev.Loss / float64(len(run.Recipe.Models)) / seeds
		}
		for i, outcome := range run.Outcomes() {
			switch outcome {
			case metamer.Pass:
				c.Passed[i] += 1 / seeds
			case metamer.NotTested:
				c.Passed[i] = math.NaN()
			}
		}
		rows, err := e.Evaluate(ctx, api.Evaluation{Runs: []*metamer.Run{run}, Images: set, Observers: p.Observers, Measures: []string{"recognizability"}})
		if err != nil {
			return fmt.Errorf("benchmark: %s, %s, %s: %w", label(c.Set), c.Stage, c.Method.Name, err)
		}
		var others []string
		seen := rows.PerImage(metamer.Recognizability).Where(func(r metamer.Row) bool {
			return !r.Member && r.Run == run.ID && r.Observer != metamer.Members && r.Observer != metamer.NonMembers
		})
		for _, r := range seen {
			if !slices.Contains(others, r.Observer) {
				others = append(others, r.Observer)
			}
		}
		for _, r := range seen {
			c.Recognized[r.Image] += r.Value / float64(len(others)) / seeds
		}
		if len(others) == 0 {
			for i := range c.Recognized {
				c.Recognized[i] = math.NaN()
			}
		}
		curves = append(curves, curveOf(run))
	}
	c.Curve = average(curves)
	return nil
}

func mean(v []float64) (sum float64) {
	for _, x := range v {
		sum += x / float64(len(v))
	}
	return sum
}
