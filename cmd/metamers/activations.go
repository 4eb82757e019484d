package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/ensemble-metamers/metamers/metamerkit/engine"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
)

type activationsCmd struct {
	Model  string    `required:"" help:"Name of the model." predictor:"model"`
	Stage  []string  `required:"" help:"Stages or layers, separated by commas." predictor:"stages"`
	Images imageSpec `help:"Image set, as for synth. With --run: its reference images, if the run does not say where they are." placeholder:"SET" predictor:"images"`
	Size   int       `positive:"" help:"Side length of the images in pixels (default: 32 for cifar10, 224 for scenes, photos and files)."`
	Filter string    `help:"Resampling filter for image files: bicubic or bilinear." enum:"bicubic,bilinear" default:"bicubic"`
	OfRun  string    `name:"run" help:"Use the metamers of this run instead of --images, and also write its references (arrays references and reference.STAGE)." placeholder:"ID" predictor:"run"`
	storeFlag
	Out       string   `required:"" help:"Output .npz file with images, labels and one array [N,…] per stage." type:"path" placeholder:"FILE.npz" predictor:"file"`
	Batch     int      `default:"16" help:"Batch size."`
	Gradients string   `help:"Also write the initial images (start) and, for each stage, the inversion loss of the initial images against the images (loss.STAGE, [N]) and its gradient with respect to their pixels (gradient.STAGE, [N,S,S,3]). START is noise, uniform, reference or an image file." placeholder:"START" predictor:"start"`
	Loss      string   `help:"Loss of the gradients: ${losses}." default:"relative-l2" predictor:"loss"`
	Penalty   []string `help:"Image penalty whose gradient is added to the gradients, but not to the losses: ${penalties}." placeholder:"NAME=WEIGHT"`
	PlainRelu bool     `help:"Use the plain gradient of a tapped ReLU, which is zero for inactive units."`
	Seed      uint64   `help:"Random seed for noise images."`
}

func (c *activationsCmd) Help() string {
	return `Examples:
  metamers activations --model resnet20 --stage early,late --images cifar10:100 --out x.npz
  metamers activations --model resnet20 --stage layer2.0 --images photos/ --size 32 --out x.npz
  metamers activations --model resnet2b --stage middle --images cifar10:8 --gradients noise --out g.npz
  metamers activations --model resnet56 --stage late,logits --run 3f2a --out r.npz

numpy.load reads the file. Gradients are those of the first step of a
synthesis: each image's own loss, through the model's resizing and normalisation.`
}

func (c *activationsCmd) Run(ctx context.Context, g *globals) error {
	for i, s := range c.Stage {
		if slices.Contains(c.Stage[:i], s) {
			return fmt.Errorf("stage %s is given twice", s)
		}
	}
	if c.Batch < 1 {
		return fmt.Errorf("batch is %d, expected at least 1", c.Batch)
	}
	if err := paths.CheckFile(c.Out); err != nil {
		return err
	}
	set, references, err := c.open()
	if err != nil {
		return err
	}
	e, err := g.engine()
	if err != nil {
		return err
	}
	acts, shapes, err := c.read(ctx, g, e, "images", set)
	if err != nil {
		return err
	}
	var of [][][]float32 // the references
	if references != nil {
		if of, _, err = c.read(ctx, g, e, "references", references); err != nil {
			return err
		}
	}
	n, pixels := set.Len(), []int{set.Len(), set.Size, set.Size, 3}
	labels := make([]int64, n)
	for i, l := range set.Labels {
		labels[i] = int64(l)
	}
	arrays := []weights.Tensor{{Name: "images", Shape: pixels, Float: set.Pixels}, {Name: "labels", Shape: []int{n}, Int: labels}}
	for i, stage := range c.Stage {
		shape := append([]int{n}, shapes[i]...)
		arrays = append(arrays, weights.Tensor{Name: stage, Shape: shape, Float: slices.Concat(acts[i]...)})
		if of != nil {
			arrays = append(arrays, weights.Tensor{Name: "reference." + stage, Shape: shape, Float: slices.Concat(of[i]...)})
		}
	}
	if references != nil {
		arrays = append(arrays, weights.Tensor{Name: "references", Shape: pixels, Float: references.Pixels})
	}
	if c.Gradients != "" {
		for i, stage := range c.Stage {
			f := recipeFlags{Paper: true, Loss: c.Loss, Penalty: c.Penalty, PlainRelu: c.PlainRelu, Seed: c.Seed, Start: c.Gradients, Batch: strconv.Itoa(c.Batch)}
			q := engine.Request{Images: set}
			if q.Recipe, q.Given, err = f.request([]string{c.Model}, stage, againstFlags{}, set, c.Filter); err != nil {
				return err
			}
			d, err := e.Gradients(ctx, q)
			if err != nil {
				return err
			}
			if bad := badGradients(d, set.Size); len(bad) > 0 {
				fmt.Fprintf(os.Stderr, "warning: the gradient of model %s at %s is NaN or infinite for %d of %d images (%s)\n", c.Model, stage, len(bad), n, few(at(set.Names, bad)))
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

// read reads activations and shows the progress.
func (c *activationsCmd) read(ctx context.Context, g *globals, e *engine.Engine, what string, set *images.Set) (acts [][][]float32, shapes [][]int, err error) {
	bar := newCountBar(g, c.Model, what+" read", set.Len())
	defer bar.clear()
	acts = make([][][]float32, len(c.Stage))
	err = inPieces(ctx, bar, set, c.Batch, func(piece *images.Set) (err error) {
		var some [][][]float32
		some, shapes, err = e.Activations(c.Model, c.Stage, piece, c.Batch)
		for i := range some {
			acts[i] = append(acts[i], some[i]...)
		}
		return err
	})
	return acts, shapes, err
}

// inPieces calls read with pieces of a set of several batches each, and shows the progress. The
// last piece takes what is left, so that no batch has a size of its own unless the set is no
// larger.
func inPieces(ctx context.Context, bar *countBar, set *images.Set, batch int, read func(*images.Set) error) error {
	for from, n := 0, set.Len(); from < n; bar.set(from) {
		to := from + 4*batch
		if n-to < batch {
			to = n
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := read(set.Slice(from, to)); err != nil {
			return err
		}
		from = to
	}
	return nil
}

// open opens the images, or a run's metamers and its references.
func (c *activationsCmd) open() (set, references *images.Set, err error) {
	if c.Images == nil && c.OfRun == "" {
		return nil, nil, fmt.Errorf("expected --images or --run")
	}
	if c.OfRun == "" {
		set, err = imageFlags{c.Images, c.Size, c.Filter}.open()
		return set, nil, err
	}
	if c.Size != 0 || c.Gradients != "" {
		return nil, nil, fmt.Errorf("--size and --gradients do not go with --run")
	}
	store, err := c.locate()
	if err != nil {
		return nil, nil, err
	}
	run, err := loadRun(store, c.OfRun)
	if err != nil {
		return nil, nil, err
	}
	if references, err = referencesOf(run, c.Images, c.Filter); err != nil {
		return nil, nil, err
	}
	metamers := *references
	metamers.Pixels = run.Metamers
	return &metamers, references, nil
}
