package main

import (
	"fmt"
	"slices"

	"github.com/ensemble-metamers/metamers/metamerkit/weights"
)

type activationsCmd struct {
	Model string   `required:"" help:"Name of the model."`
	Stage []string `required:"" help:"Stages or layers, separated by commas."`
	imageFlags
	Out   string `required:"" help:"The .npz file to write: images, labels, and an array a stage, [N,…]." type:"path" placeholder:"FILE.npz"`
	Batch int    `default:"16" help:"Images at a time."`
}

func (c *activationsCmd) Run(g *globals) error {
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
	labels := make([]int64, set.Len())
	for i, l := range set.Labels {
		labels[i] = int64(l)
	}
	arrays := []weights.Tensor{
		{Name: "images", Shape: []int{set.Len(), set.Size, set.Size, 3}, Float: set.Pixels},
		{Name: "labels", Shape: []int{set.Len()}, Int: labels},
	}
	for i, stage := range c.Stage {
		arrays = append(arrays, weights.Tensor{Name: stage, Shape: append([]int{set.Len()}, shapes[i]...), Float: slices.Concat(acts[i]...)})
	}
	if err := weights.WriteNPZ(c.Out, arrays); err != nil {
		return err
	}
	for _, a := range arrays {
		fmt.Printf("%s %v\n", a.Name, a.Shape)
	}
	return nil
}
