package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/ensemble-metamers/metamers/metamerkit/engine"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
)

type activationsCmd struct {
	Model string   `required:"" help:"Name of the model." predictor:"model"`
	Stage []string `required:"" help:"Stages or layers, separated by commas." predictor:"stages"`
	imageFlags
	Out       string   `required:"" help:"The .npz file to write: images, labels, and an array a stage, [N,…]." type:"path" placeholder:"FILE.npz" predictor:"file"`
	Batch     int      `default:"16" help:"Images at a time."`
	Gradients string   `help:"Also write start, and for each stage loss.STAGE [N], the inversion loss of the start against the images, and gradient.STAGE [N,S,S,3], its slope by the start's pixels. START is noise, uniform, reference, or an image file." placeholder:"START" predictor:"start"`
	Loss      string   `help:"Of the gradients: relative-l2, squared-l2, cosine or correlation." default:"relative-l2" predictor:"loss"`
	Penalty   []string `help:"Added to the gradients (not to the losses): tv=WEIGHT or grey=WEIGHT." placeholder:"NAME=WEIGHT"`
	PlainRelu bool     `help:"Gradients do not pass dead units of the tapped ReLU."`
	Seed      uint64   `help:"Of a start of noise."`
}

func (c *activationsCmd) Help() string {
	return `Examples:
  metamers activations --model resnet20 --stage early,late --images cifar10:100 --out x.npz
  metamers activations --model resnet20 --stage layer2.0 --images photos/ --size 32 --out x.npz
  metamers activations --model resnet2b --stage middle --images cifar10:8 --gradients noise --out g.npz

numpy.load reads the file. Gradients are those of a synthesis' first step: of each
image's own loss, through the model's own resizing and normalisation.`
}

func (c *activationsCmd) Run(ctx context.Context, g *globals) error {
	for i, s := range c.Stage {
		if slices.Contains(c.Stage[:i], s) {
			return fmt.Errorf("stage %s is asked for twice", s)
		}
	}
	if c.Batch < 1 {
		return fmt.Errorf("batch is %d, expected at least 1", c.Batch)
	}
	set, err := c.open()
	if err != nil {
		return err
	}
	e, err := g.engine()
	if err != nil {
		return err
	}
	acts, shapes, err := e.Activations(c.Model, c.Stage, set, c.Batch)
	if err != nil {
		return err
	}
	n, pixels := set.Len(), []int{set.Len(), set.Size, set.Size, 3}
	labels := make([]int64, n)
	for i, l := range set.Labels {
		labels[i] = int64(l)
	}
	arrays := []weights.Tensor{{Name: "images", Shape: pixels, Float: set.Pixels}, {Name: "labels", Shape: []int{n}, Int: labels}}
	for i, stage := range c.Stage {
		arrays = append(arrays, weights.Tensor{Name: stage, Shape: append([]int{n}, shapes[i]...), Float: slices.Concat(acts[i]...)})
	}
	if c.Gradients != "" {
		for i, stage := range c.Stage {
			f := recipeFlags{Loss: c.Loss, Penalty: c.Penalty, PlainRelu: c.PlainRelu, Seed: c.Seed, Start: c.Gradients, Batch: c.Batch, Schedule: "switch"}
			q := engine.Request{Images: set}
			if q.Recipe, q.Given, err = f.request([]string{c.Model}, stage, set, c.Filter); err != nil {
				return err
			}
			d, err := e.Gradients(ctx, q)
			if err != nil {
				return err
			}
			if i == 0 {
				arrays = append(arrays, weights.Tensor{Name: "start", Shape: pixels, Float: d.Start})
			}
			arrays = append(arrays, weights.Tensor{Name: "loss." + stage, Shape: []int{n}, Float: d.Loss}, weights.Tensor{Name: "gradient." + stage, Shape: pixels, Float: d.Gradient})
		}
	}
	if err := weights.WriteNPZ(c.Out, arrays); err != nil {
		return err
	}
	if g.JSON {
		written := map[string][]int{}
		for _, a := range arrays {
			written[a.Name] = a.Shape
		}
		return json.NewEncoder(os.Stdout).Encode(map[string]any{"File": c.Out, "Arrays": written})
	}
	for _, a := range arrays {
		fmt.Printf("%s %v\n", a.Name, a.Shape)
	}
	return nil
}
