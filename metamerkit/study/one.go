package study

import (
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// One is a single run beside its forecast: it watches the run, from which speeds are learnt
// that were not known.
type One struct {
	plan   Plan
	set    *images.Set
	speeds *Speeds
	watch  watch
	began  time.Time
}

// NewOne takes a recipe with full model names.
func NewOne(r metamer.Recipe, set *images.Set, s *Speeds) *One {
	p := Plan{Sets: [][]string{r.ModelNames()}, Stages: []string{r.Stage}, Measures: []string{}}
	p.Settings = Settings{
		Steps: r.Steps, Schedule: r.Schedule, Loss: r.Loss, Start: r.Start.Kind, WarmUp: r.WarmUp, Round: r.Round, Batch: api.BatchSize(r.Batch), Seed: r.Seed, PlainReLU: r.PlainReLU, Precision: r.Precision, Null: r.Null.Name,
		Against:   r.Against,
		Variants:  r.Variants,
		Optimizer: r.Optimizer,
	}
	return &One{plan: p, set: r.Variants.Of(set), speeds: s}
}

// Expected is how long the run takes, and whether that is known.
func (o *One) Expected() (d time.Duration, known bool) {
	if o.plan.Settings.Batch == metamer.AutoBatch { // the engine chooses it when models are open
		return 0, false
	}
	f := o.plan.Forecast(o.speeds, nil, o.set, func(metamer.Recipe, int) (bool, bool) { return false, true })
	return f.Left(), f.Unknown == nil
}

// See takes a report of the run.
func (o *One) See(p metamer.Progress) {
	if o.began.IsZero() {
		o.began = time.Now()
	}
	o.watch.see(p, false)
}

// Learn keeps what a run of one model showed where its speed was not known, and refines it
// where it was.
func (o *One) Learn(run *metamer.Run) error {
	r, w := run.Recipe, &o.watch
	if len(r.Tapped()) != 1 || r.WarmUp != nil || w.start.IsZero() || w.after.IsZero() || w.files.IsZero() {
		return nil
	}
	key := o.speeds.key(o.plan, r.Models[0].Name, r.Stage, r.Batch, r.Images.Size)
	if _, known := o.speeds.Of[key]; known {
		o.speeds.learn(o.plan, run, *w, true, time.Now())
		return o.speeds.save()
	}
	// Both the null set and the images, each beside its reference, are read by the model.
	n, took := float64(r.Null.Count), w.files.Sub(w.after).Seconds()
	share := n / (n + 2*float64(r.Images.Count))
	v := Speed{Step: w.middle(), Null: took * share, Matching: took * (1 - share), Images: r.Images.Count}
	if v.Step == 0 {
		v.Step = w.step()
	}
	if v.Step == 0 {
		return nil
	}
	v.CompileBusy, v.StepBusy = w.busy()
	v.Compile = max(w.first.Sub(o.began).Seconds()-float64(w.firstStep)*v.Step, 0)
	o.speeds.Of[key] = v
	return o.speeds.save()
}
