package engine

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/synth"
)

// startImages draws the initial images [N,S,S,3]. Noise depends on seed, image
// index and size only: the same seed gives the same start at every stage and for
// every model set, and image i starts alike in any batch
// and in any part of its set.
func startImages(r metamer.Recipe, q Request) []float32 {
	n, per := r.Images.Count, r.Images.Size*r.Images.Size*3
	switch r.Start.Kind {
	case "reference":
		return slices.Clone(q.Images.Pixels)
	case "image":
		out := make([]float32, 0, n*per)
		for i := range n {
			out = append(out, q.Given.Image(i%q.Given.Len())...)
		}
		return out
	}
	out := make([]float32, 0, n*per)
	for i := range n {
		src := rand.NewPCG(r.Seed, uint64(r.Images.First+i))
		draw := distuv.Normal{Mu: r.Start.Mean, Sigma: r.Start.Std, Src: src}.Rand
		if r.Start.Kind == "uniform" {
			draw = rand.New(src).Float64
		}
		for range per {
			out = append(out, float32(min(max(draw(), 0), 1)))
		}
	}
	return out
}

// built are the versions of GoMLX's modules in this program.
var built = sync.OnceValue(func() map[string]string {
	out := map[string]string{}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if strings.HasPrefix(d.Path, "github.com/gomlx/") {
				out[d.Path[len("github.com/gomlx/"):]] = d.Version
			}
		}
	}
	return out
})

// versions of what computes, for the recipe.
func versions(b *backend.Backend) map[string]string {
	out := maps.Clone(built())
	if b.Plugin != "" {
		out["plugin"] = b.Version
	}
	if b.OneDNN != "" {
		out["onednn"] = b.OneDNN
	}
	return out
}

// Computes names the backend and the versions of software that compute here, as recipes and
// rows name them.
func (e *Engine) Computes() string {
	return metamer.Recipe{Backend: string(e.Backend.Kind), Versions: versions(e.Backend)}.Computed()
}

// enoughMemory estimates what the largest member needs at least, the activations that
// the gradient keeps and what is derived of its weights, and holds it against what is
// free. The weights are in memory already.
func (e *Engine) enoughMemory(tapped []synth.TappedModel, r metamer.Recipe) error {
	free, err := e.Backend.FreeMemory()
	if err != nil || free == 0 {
		return nil // unknown: let the allocation decide
	}
	if e.memoryFor(tapped, r, free) == nil {
		return nil
	}
	backend.GiveBack()
	if free, err = e.Backend.FreeMemory(); err != nil || free == 0 {
		return nil
	}
	return e.memoryFor(tapped, r, free)
}

// memoryFor is enoughMemory with so many bytes free.
func (e *Engine) memoryFor(tapped []synth.TappedModel, r metamer.Recipe, free uint64) error {
	for _, s := range tapped {
		one, derived, err := e.needs(s, r)
		if err != nil {
			return err
		}
		if need := one*uint64(r.Batch) + derived; need > free {
			how := fmt.Sprintf("use a batch of at most %d", (free-min(derived, free))/max(one, 1))
			if one+derived > free {
				how = "not even one image fits"
			}
			return fmt.Errorf("engine: %s at %s needs about %d MB for a batch of %d images, %d MB of it for what is derived of its weights; %d MB are free: %s",
				s.Card.Name, s.Layer, need>>20, r.Batch, derived>>20, free>>20, how)
		}
	}
	return nil
}

// needs estimates the bytes that an image of a batch takes at a member, and what is derived
// of its weights.
func (e *Engine) needs(s synth.TappedModel, r metamer.Recipe) (one, derived uint64, err error) {
	if one, err = s.Net.Footprint(s.Card.Input, r.Images.Size, s.Layer); err != nil {
		return 0, 0, err
	}
	if o, _ := metamer.SolverOf(r.Optimizer.Name); o.Arrays != nil {
		one += uint64(o.Arrays(r.Optimizer)) * uint64(r.Images.Size*r.Images.Size*3*4)
	}
	of, err := synth.Derives(e.Backend.Compute, s, e.config(r))
	return one, uint64(of), err
}
