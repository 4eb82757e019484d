// Package devicecheck compares what a device computes with values that PyTorch computed on a
// CPU, for networks and photographs that the program carries.
package devicecheck

import (
	"context"
	"fmt"
	"io/fs"
	"math"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/engine"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
	"github.com/ensemble-metamers/metamers/testdata/golden"
)

// Limit is the largest difference that is taken for rounding, as a share of the largest
// value. Devices that compute float32 are below 1e-5.
const Limit = 1e-3

const (
	size   = 32 // pixels a side
	every  = 8  // the golden files have every 8th value of activations
	photos = 2  // of the comparisons with single networks
	steps  = 20 // of the short run
)

var networks = []string{"resnet8_48.mm_c10", "plain7_48.mm_c10_linf8", "vit_4_96.mm_c10"}

// Run carries the comparison out. What cannot be computed at all is a part that failed.
func Run(ctx context.Context, e *engine.Engine) (*backend.DeviceCheck, error) {
	return run(ctx, e, golden.Files)
}

func run(ctx context.Context, e *engine.Engine, from fs.FS) (*backend.DeviceCheck, error) {
	pictures, err := tensors(from, "carried/images")
	if err != nil {
		return nil, err
	}
	start, err := tensors(from, "pgd_start")
	if err != nil {
		return nil, err
	}
	set := func(name string, values []float32, n int) *images.Set {
		s := &images.Set{Name: name, Size: size, Pixels: values[:n*size*size*3]}
		for i := range n {
			s.Names, s.Labels = append(s.Names, fmt.Sprint(name, " ", i)), append(s.Labels, -1)
		}
		return s
	}
	c := e.Backend.NewCheck()
	for _, name := range networks {
		want, err := tensors(from, "carried/"+name)
		if err != nil {
			return nil, err
		}
		if err := network(ctx, c, e, name, set("photograph", pictures["images"], photos), set("start", start["start"], photos), want); err != nil {
			return nil, err
		}
	}
	want, err := tensors(from, "carried/pgd_robust_cnns")
	if err != nil {
		return nil, err
	}
	n := len(want["losses20.late"]) / steps
	return c, shortRun(ctx, c, e, set("photograph", pictures["images"], n), set("start", start["start"], n), want["losses20.late"])
}

// network compares activations, logits, and losses and gradients at each stage.
func network(ctx context.Context, c *backend.DeviceCheck, e *engine.Engine, name string, refs, start *images.Set, want map[string][]float32) error {
	add := func(what string, err error, got, want []float32) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		part := backend.CheckPart{What: name + ": " + what, Limit: Limit, Difference: math.MaxFloat64}
		if err != nil {
			part.Error = err.Error()
		} else {
			part.Difference = difference(got, want)
		}
		c.Parts = append(c.Parts, part)
		return nil
	}
	acts, _, err := e.Activations(name, append(metamer.Stages[:len(metamer.Stages):len(metamer.Stages)], "logits"), refs, photos)
	if err != nil {
		return add("activations", err, nil, nil)
	}
	for k, stage := range metamer.Stages {
		var got []float32
		for i, v := range append(acts[k][0], acts[k][1]...) {
			if i%every == 0 {
				got = append(got, v)
			}
		}
		if err := add("activations, "+stage, nil, got, want["activation."+stage]); err != nil {
			return err
		}
	}
	last := acts[len(metamer.Stages)]
	if err := add("logits", nil, append(last[0], last[1]...), want["logits"]); err != nil {
		return err
	}
	for _, stage := range metamer.Stages {
		r := metamer.Recipe{Models: []metamer.ModelRef{{Name: name}}, Stage: stage, Start: metamer.Start{Kind: "image"}, Batch: photos}.Paper()
		g, err := e.Gradients(ctx, engine.Request{Images: refs, Given: start, Recipe: r})
		if err != nil {
			g = &engine.Gradients{}
		}
		if err := add("losses, "+stage, err, g.Loss, want["loss."+stage]); err != nil {
			return err
		}
		if err := add("gradients, "+stage, err, g.Gradient, want["gradient."+stage]); err != nil {
			return err
		}
	}
	return nil
}

// shortRun compares the losses of the first steps of the paper's procedure, whose step size
// is 1 throughout.
func shortRun(ctx context.Context, c *backend.DeviceCheck, e *engine.Engine, refs, start *images.Set, want []float32) error {
	part := backend.CheckPart{What: fmt.Sprintf("losses of %d steps at late", steps), Limit: Limit, Difference: math.MaxFloat64}
	run, err := e.Synthesize(ctx, engine.Request{Images: refs, Given: start, Recipe: metamer.Recipe{
		Models: []metamer.ModelRef{{Name: "plain7_48.mm_c10_linf8"}, {Name: "resnet8_48.mm_c10_linf8"}}, Stage: "late", Steps: steps, Batch: refs.Len(),
		Optimizer: metamer.Optimizer{Name: "pgd", Halvings: 1}, Start: metamer.Start{Kind: "image"}, Null: metamer.NullRef{Name: metamer.NoNull},
	}})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		part.Error = err.Error()
	default:
		var got []float32
		for _, losses := range run.Trace.Loss {
			got = append(got, losses...)
		}
		part.Difference = difference(got, want)
	}
	c.Parts = append(c.Parts, part)
	return nil
}

// difference is the largest one as a share of the largest value; the largest number where
// the values are not comparable.
func difference(got, want []float32) float64 {
	if len(got) != len(want) || len(want) == 0 {
		return math.MaxFloat64
	}
	d, most := 0., 0.
	for i, w := range want {
		most = max(most, math.Abs(float64(w)))
		if d = max(d, math.Abs(float64(got[i])-float64(w))); math.IsNaN(d) || math.IsInf(d, 0) {
			return math.MaxFloat64
		}
	}
	return d / max(most, math.SmallestNonzeroFloat32)
}

func tensors(from fs.FS, name string) (map[string][]float32, error) {
	data, err := fs.ReadFile(from, name+".safetensors")
	if err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	f, err := weights.Parse(name, data)
	if err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	out := map[string][]float32{}
	for k, v := range f.Tensors {
		out[k] = v.Float
	}
	return out, nil
}
