package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
	"github.com/ensemble-metamers/metamers/metamerkit/synth"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// Request is what Synthesize is asked.
type Request = api.Synthesis

// Resolve fills in what the recipe leaves open: defaults, full model names with
// checksums, the images' reference and software versions.
func (e *Engine) Resolve(q Request) (metamer.Recipe, error) {
	q.Images = q.Recipe.Variants.Of(q.Images)
	q, err := e.withNull(q)
	if err != nil {
		return q.Recipe, err
	}
	r, _, err := e.resolve(q)
	return r, err
}

func (e *Engine) resolve(q Request) (r metamer.Recipe, tapped []synth.TappedModel, err error) {
	r = q.Recipe.WithDefaults()
	if tapped, err = e.tappedModels(r); err != nil {
		return r, nil, err
	}
	refs := make([]metamer.ModelRef, 0, len(tapped)) // of Recipe.Tapped
	for _, s := range tapped {
		refs = append(refs, metamer.ModelRef{Name: s.Card.Name, Layer: s.Layer, SHA256: s.Net.SHA256})
	}
	if r, err = e.recipe(q, refs); err != nil {
		return r, nil, err
	}
	if r, err = synth.Choose(r, tapped); err != nil {
		return r, nil, err
	}
	if r.Batch == metamer.AutoBatch {
		if r.Batch, err = e.batch(tapped, r, max(q.Images.Of, q.Images.Len())); err != nil {
			return r, nil, err
		}
		r.Batch = r.Variants.Whole(r.Batch)
	}
	return r, tapped, r.Validate()
}

// tappedModels opens the members of a recipe at its stage, and behind them the models that
// it is against at theirs.
func (e *Engine) tappedModels(r metamer.Recipe) (out []synth.TappedModel, err error) {
	for i, m := range r.Tapped() {
		s, err := e.tappedModel(m.Name, r.StageOf(i), r.Precision)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// recipe fills in all but the models, which are given as by Recipe.Tapped.
func (e *Engine) recipe(q Request, models []metamer.ModelRef) (metamer.Recipe, error) {
	r := q.Recipe.WithDefaults()
	if q.Images == nil || q.Images.Len() == 0 {
		return r, fmt.Errorf("engine: no images")
	}
	r.Images = metamer.ImageRef{Name: q.Images.Name, Count: q.Images.Len(), Size: q.Images.Size, SHA256: q.Images.SHA256(), First: q.Images.First, Of: q.Images.Of}
	// A part is carried out in batches of the whole's size: other sizes give other last bits.
	r.Batch = min(r.Batch, max(q.Images.Of, q.Images.Len()))
	members := len(r.Models)
	r.Models, r.Backend, r.Versions = models[:members:members], string(e.Backend.Kind), versions(e.Backend)
	if r.Against != nil {
		against := *r.Against
		against.Models, r.Against = models[members:], &against
	}
	if r.WarmUp != nil {
		for i, m := range r.Models {
			c, err := zoo.Lookup(m.Name)
			if err != nil {
				return r, fmt.Errorf("engine: %w", err)
			}
			r.Models[i].WarmUp = zoo.LayerOf(c, r.WarmUp.Stage)
		}
	}
	if r.Start.Kind == "image" {
		if q.Given == nil || q.Given.Size != q.Images.Size || q.Given.Len() != 1 && q.Given.Len() != q.Images.Len() {
			return r, fmt.Errorf("engine: start \"image\" needs one initial image, or one for each of the %d references, of %d² pixels", q.Images.Len(), q.Images.Size)
		}
		r.Start.Image, r.Start.SHA256 = q.Given.Name, q.Given.SHA256()
	}
	if err := r.Validate(); err != nil || q.Blocks <= 0 {
		return r, err
	}
	return r, checkBlocks(q, r)
}

// named is resolve without opening a model.
func (e *Engine) named(q Request) (metamer.Recipe, error) {
	r := q.Recipe.WithDefaults()
	var refs []metamer.ModelRef
	for i, m := range r.Tapped() {
		id, err := e.identity(m.Name, r.StageOf(i), r.Precision)
		if err != nil {
			return r, err
		}
		refs = append(refs, metamer.ModelRef{Name: id.card.Name, Layer: id.layer, SHA256: id.sha256})
	}
	return e.recipe(q, refs)
}

// unopened reports whether only the opened models tell what a recipe is.
func unopened(r metamer.Recipe) bool {
	return r.Choices() != nil || r.Batch == metamer.AutoBatch
}

// stored returns the run that the store holds for a request, nil if there is none. No
// model is opened for it.
func (e *Engine) stored(ctx context.Context, q Request) (*metamer.Run, error) {
	r, err := e.named(q)
	if err != nil {
		return nil, err
	}
	store, err := runs.Open(q.Store)
	if err != nil {
		return nil, err
	}
	run, err := e.storedRun(ctx, store, r.ID())
	if runs.Missing(err) { // also a damaged one: Begin sets it aside
		return nil, nil
	}
	return run, err
}

// Synthesize carries a recipe out and returns its run, at once if the store holds
// it. Cancelling ctx ends it within one chunk of steps; the checkpoint stays, and
// the same request goes on from there.
func (e *Engine) Synthesize(ctx context.Context, q Request) (run *metamer.Run, err error) {
	defer func() {
		if run == nil {
			return
		}
		if note := rename(run, q.Images); note != "" && q.Warn != nil {
			q.Warn(note)
		}
		if err := images.Remember(q.Images, run.Recipe.Images.SHA256); err != nil && q.Warn != nil {
			q.Warn(fmt.Sprintf("where the image files are could not be noted, so that evaluations in another folder need --images: %v", err))
		}
		if q.Null == nil {
			return
		}
		if err := images.Remember(q.Null, nullOrigin(run.Recipe.Null)); err != nil && q.Warn != nil {
			q.Warn(fmt.Sprintf("where the files of the null set are could not be noted, so that evaluations in another folder need --null: %v", err))
		}
	}()
	q.Images = q.Recipe.Variants.Of(q.Images)
	if q, err = e.withNull(q); err != nil {
		return nil, err
	}
	if q.Store != "" && !unopened(q.Recipe) {
		if run, err = e.stored(ctx, q); err != nil || run != nil {
			return run, err
		}
	}
	q.Progress = e.stamped(q.Progress)
	q.Progress(metamer.Progress{Phase: metamer.Opening})
	r, tapped, err := e.resolve(q)
	if err != nil {
		return nil, err
	}
	if q.Warn == nil {
		q.Warn = func(string) {}
	}
	if q.Stepped == nil {
		q.Stepped = func() {}
	}
	if q.CheckpointEvery == 0 {
		q.CheckpointEvery = 30 * time.Second
	}
	var work *runs.Work
	if q.Store != "" {
		store, err := runs.Open(q.Store)
		if err != nil {
			return nil, err
		}
		if work, run, err = store.Begin(ctx, r); err != nil || run != nil {
			return run, err
		}
		defer func() { err = errors.Join(err, work.Close()) }()
		work.Warn = q.Warn
		for _, note := range work.Notes {
			q.Warn(note)
		}
	}
	if e.Doubt != "" {
		q.Warn(e.Doubt)
	}
	if e.Backend.SlowBFloat16() && (r.Precision == "mixed" || r.WarmUp != nil && r.WarmUp.Precision == "mixed") {
		q.Warn("mixed precision is slower than float32 here: on a CPU it is faster only with oneDNN and a processor that has avx512_bf16 or AMX")
	}
	if why := r.Null.Untested(); why != "" && r.Null.Name != metamer.NoNull {
		q.Warn(why + ": images will not be tested")
	}
	if err := e.enoughMemory(tapped, r); err != nil {
		return nil, err
	}
	if q.Blocks > 0 && q.Blocks < r.Images.Count {
		run, err = e.join(ctx, q, r, tapped)
	} else {
		j := &job{e: e, q: q, r: r, tapped: tapped, work: work, began: time.Now()}
		run, err = j.run(ctx)
	}
	if err != nil {
		return nil, err
	}
	if work == nil {
		return run, nil
	}
	q.Progress(metamer.Progress{Phase: metamer.Writing, Step: r.AllSteps(), Steps: r.AllSteps(), Image: r.Images.Count, Images: r.Images.Count})
	var extra map[string]func(string) error
	if q.Extra != nil {
		extra = q.Extra(run)
	}
	return run, work.Finish(run, extra)
}

// rename gives a stored run the names of the images that were asked for. They are others
// where it was made of other files with the same pixels, which the note then says.
func rename(run *metamer.Run, set *images.Set) (note string) {
	same := func(a, b string) bool { return a == string([]rune(b)) } // as names come back from JSON
	if !run.Cached || run.Names == nil || slices.EqualFunc(run.Names, set.Names, same) {
		return ""
	}
	note = fmt.Sprintf("run %s was made of other files with the same pixels, whose names its folder has: %s", run.ID, strings.Join(run.Names, ", "))
	run.Names = slices.Clone(set.Names)
	return note
}

// stamped adds to what is reported what this process has used until then.
func (e *Engine) stamped(show func(metamer.Progress)) func(metamer.Progress) {
	if show == nil {
		return func(metamer.Progress) {}
	}
	return func(p metamer.Progress) {
		p.Usage = e.Backend.Used()
		show(p)
	}
}

// config is what units of a recipe are compiled for.
func (e *Engine) config(r metamer.Recipe) synth.Config {
	cfg := synth.Config{
		Batch: r.Batch, Size: r.Images.Size, Loss: r.Loss, Penalties: r.Penalties, PlainReLU: r.PlainReLU, Loops: e.Backend.Loops(),
		Optimizer: r.Optimizer,
	}
	cfg.Optimizer.StepSize, cfg.Optimizer.Halvings = 0, 0
	return cfg
}

// loop compiles what the recipe needs. It ends with ctx, between two compilations.
// The null set is that of the recipe.
func (e *Engine) loop(ctx context.Context, tapped []synth.TappedModel, r metamer.Recipe, null *images.Set) (*synth.Loop, error) {
	var early []synth.TappedModel
	if r.WarmUp != nil {
		precision := r.Precision
		if r.WarmUp.Precision != "" {
			precision = strings.TrimPrefix(r.WarmUp.Precision, "float32") // "" is the key of float32
		}
		for i, s := range tapped {
			s, err := e.tappedModel(s.Card.Name, r.Models[i].WarmUp, precision)
			if err != nil {
				return nil, err
			}
			early = append(early, s)
		}
	}
	c := synth.Compiler{Backend: e.Backend.Compute, Keep: func(k synth.Key, build func() (any, error)) (any, error) {
		return compile(e, k.Kind, k.Net, digestOf(k), build)
	}}
	var s synth.Stepper
	var err error
	if !r.Held() {
		s, err = synth.NewStepper(ctx, c, r, e.config(r), tapped, early)
	} else {
		n := len(r.Models)
		limits, e2 := e.limits(ctx, tapped[:n], r, null)
		if e2 != nil {
			return nil, e2
		}
		s, err = synth.NewHeld(ctx, c, r, e.config(r), tapped[:n], limits, tapped[n:])
	}
	if err != nil {
		return nil, err
	}
	return &synth.Loop{Recipe: r, Stepper: s, Device: e.device.do}, nil
}
