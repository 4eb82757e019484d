package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/train"
)

type attackCmd struct {
	Models []string  `required:"" help:"Names of models, separated by commas."`
	Images imageSpec `help:"Labelled images, such as cifar10 or cifar10:N, as for synth." default:"cifar10:1000"`
	Threat []string  `help:"Threats, separated by commas: norm and size of the perturbation, such as linf:8/255 or l2:0.5." default:"linf:8/255" placeholder:"NORM:EPSILON"`
	Steps  []int     `help:"Number of gradient steps of each attack. 0 adds random noise only." default:"20"`

	Attacked int     `help:"Number of images to attack (0: all). Clean accuracy uses all images." default:"0"`
	Restarts int     `help:"Number of random restarts of each attack." default:"1"`
	StepSize float64 `positive:"" help:"Step size of an attack, in pixel values of [0,1] or as an L2 norm (default 2.5·epsilon/steps, at most epsilon)."`
	Batch    int     `help:"Batch size." default:"100"`
	Seed     uint64  `help:"Random seed for the restarts."`
	Sanity   bool    `help:"Check the attack on the first threat: accuracy must fall with epsilon and with steps, be higher under noise, and reach 0 % without a bound."`
}

func (c *attackCmd) Help() string {
	return `Examples:
  metamers attack --models resnet2b,resnet4b --threat linf:2/255
  metamers attack --models resnet4b --threat linf:2/255,linf:4/255,l2:0.5 --steps 0,1,20 --restarts 2
  metamers attack --models resnet4b --threat linf:2/255 --sanity
  metamers attack --models plain7_48.mm_c10_linf8 --images cifar10 --attacked 1000 --restarts 2

An image counts as correct only if the model classifies it correctly without attack and at
every step of every restart.`
}

func (c *attackCmd) Run(ctx context.Context, g *globals) error {
	set, err := withNotes(images.Open(c.Images, images.Options{Size: 32}))
	if err != nil {
		return err
	}
	if c.Attacked < 0 {
		return fmt.Errorf("--attacked %d: expected a number of images, 0 for all", c.Attacked)
	}
	attacked := head(set, c.Attacked)
	var threats []train.Threat
	for _, s := range c.Threat {
		t, err := train.ParseThreat(s)
		if err != nil {
			return err
		}
		threats = append(threats, t)
	}
	e, err := g.engine()
	if err != nil {
		return err
	}
	failed := 0
	for _, name := range c.Models {
		m, net, err := e.Model(name)
		if err != nil {
			return err
		}
		ev := train.NewEvaluator(e.Backend.Compute, m, net, min(c.Batch, set.Len()), set.Size)
		if c.Sanity {
			bad, err := c.sanity(ctx, ev, m, net.Weights, attacked, threats[0])
			if err != nil {
				return err
			}
			failed += bad
			continue
		}
		attacks := []train.Attack{{}}
		for _, t := range threats {
			for _, n := range c.Steps {
				attacks = append(attacks, train.Attack{Threat: t, Steps: n, Restarts: c.Restarts, StepSize: c.StepSize, Seed: c.Seed})
			}
		}
		for _, a := range attacks {
			on := set
			if a.Norm != "" {
				on = attacked
			}
			r, err := measure(ctx, g, ev, net.Weights, on, a)
			if err != nil {
				return err
			}
			if g.JSON {
				if err := json.NewEncoder(os.Stdout).Encode(map[string]any{"model": m.Name, "data": r.Data, "images": on.Len(), "attack": a.String(), "accuracy": r.Accuracy}); err != nil {
					return err
				}
				continue
			}
			fmt.Printf("%-24s %6.2f %% of %d images of %s, attack: %v\n", m.Name, r.Accuracy, on.Len(), on.Name, a)
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d checks failed", failed)
	}
	return nil
}

// sanity prints the checks of train.Sanity and returns how many failed.
func (c *attackCmd) sanity(ctx context.Context, e *train.Evaluator, m *card.Card, w map[string]*tensors.Tensor, set *images.Set, t train.Threat) (failed int, err error) {
	checks, err := train.Sanity(ctx, e, w, set, t, c.Seed)
	if err != nil {
		return 0, err
	}
	for _, k := range checks {
		verdict := "ok    "
		if !k.OK {
			verdict = "FAILED"
			failed++
		}
		fmt.Printf("%-24s %s %s: %s\n", m.Name, verdict, k.What, k.Found)
	}
	return failed, nil
}

// measure is one accuracy in percent, with a line of progress.
func measure(ctx context.Context, g *globals, e *train.Evaluator, w map[string]*tensors.Tensor, set *images.Set, a train.Attack) (card.Measured, error) {
	bar := newCountBar(g, "attack: "+a.String(), "images", set.Len())
	acc, err := e.Accuracy(ctx, w, set, a, bar.set)
	bar.clear()
	r := card.Measured{Data: "cifar10 test", Accuracy: float64(int(acc*1e4+.5)) / 100, Images: set.Len()}
	if a.Norm != "" {
		r.Attack = a.String()
	}
	return r, err
}
