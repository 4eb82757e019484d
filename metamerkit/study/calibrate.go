package study

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// probeSteps are the steps of a measurement, quickSteps where they are short.
const (
	probeSteps = 12
	quickSteps = 30
	short      = 0.1 // seconds of a step
)

// Calibrate measures what is not known yet of the models of a resolved plan, each at
// each stage, on one batch: members of sets as members, observers as observers; and the
// image metrics. It returns the keys of these: what was compiled for them the engine
// uses again.
func (p Plan) Calibrate(ctx context.Context, e api.Engine, s *Speeds, set *images.Set, progress func(done, total int, what string)) (warm map[string]bool, err error) {
	var todo []task
	warm = map[string]bool{}
	note := func(t task, known bool) {
		if !known && !slices.ContainsFunc(todo, func(o task) bool { return o.key == t.key }) {
			todo = append(todo, t)
		}
	}
	for _, c := range p.Cells() {
		r := p.Of(c)
		for i, m := range r.Tapped() {
			batch := min(r.Batch, set.Len())
			key := s.key(p, m.Name, r.StageOf(i), batch, set.Size)
			_, known := s.Of[key]
			note(task{key: key, model: m.Name, stage: r.StageOf(i), images: batch}, known)
		}
	}
	evaluation := func(observer, stage string) {
		key := s.evaluationKey(p, observer, stage, set.Size)
		_, known := s.Evaluations[key]
		note(task{key: key, model: observer, stage: stage, images: min(api.Evaluation{}.WithDefaults().Batch, set.Len()), evaluated: true}, known)
	}
	if len(p.observed()) > 0 {
		for _, stage := range p.Stages {
			for _, o := range p.Observers {
				evaluation(o, stage)
			}
		}
	}
	if slices.Contains(p.measures(), "metrics") {
		evaluation("", "")
	}
	for i, t := range todo {
		progress(i, len(todo), t.name())
		part := set.Slice(0, t.images)
		if t.evaluated {
			s.Evaluations[t.key], err = p.timeEvaluation(ctx, e, t.model, t.stage, part)
		} else {
			s.Of[t.key], err = p.measure(ctx, e, t.model, t.stage, part)
		}
		if err != nil {
			delete(s.Evaluations, t.key)
			delete(s.Of, t.key)
			return warm, errors.Join(fmt.Errorf("study: measuring %s: %w", t.name(), err), s.save())
		}
		warm[t.key] = true
	}
	if len(todo) == 0 {
		return warm, nil
	}
	return warm, s.save()
}

// task is one thing to measure.
type task struct {
	key          string
	model, stage string // "": image metrics
	images       int
	evaluated    bool // as an observer
}

func (t task) name() string {
	if t.model == "" {
		return "image metrics"
	}
	return t.model + " at " + t.stage
}

// measure makes a short run twice: the first time compiles.
func (p Plan) measure(ctx context.Context, e api.Engine, model, stage string, set *images.Set) (v Speed, err error) {
	var whole, matching [2]float64
	steps := 1
	p.Settings.Against, p.Settings.Variants = nil, nil
	for round := range whole {
		r := p.Recipe([]string{model}, stage)
		r.Steps = steps
		began := time.Now()
		var w watch
		if _, err := e.Synthesize(ctx, api.Synthesis{Recipe: r, Images: set, Progress: func(p metamer.Progress) { w.see(p, false) }}); err != nil {
			return v, err
		}
		whole[round] = time.Since(began).Seconds()
		if v.Step = w.middle(); v.Step == 0 {
			v.Step = w.step()
		}
		if v.Step == 0 { // one call made all steps
			v.Step = w.after.Sub(w.start).Seconds() / float64(steps)
		}
		matching[round], v.Images = time.Since(w.after).Seconds(), set.Len()
		compile, step := w.busy()
		if round == 0 {
			v.CompileBusy = compile
		}
		v.StepBusy = step
		if steps = probeSteps; w.first.Sub(w.start).Seconds() < short {
			steps = quickSteps
		}
	}
	v.Matching, v.Null = matching[1], max(matching[0]-matching[1], 0) // the null distribution is kept
	v.Compile = max(whole[0]-v.Step-matching[0], 0)
	return v, nil
}

// timeEvaluation evaluates images as if they were each other's metamers, twice: the first time
// compiles.
func (p Plan) timeEvaluation(ctx context.Context, e api.Engine, observer, stage string, set *images.Set) (j EvaluationSpeed, err error) {
	p.Settings.Against, p.Settings.Variants = nil, nil
	q := api.Evaluation{Images: set, Observers: []string{observer}, Measures: p.observed()}
	q.Bootstrap.Resamples = probeResamples // the rest is resampling's
	if observer == "" {
		stage, q.Observers, q.Measures, q.Bootstrap.Resamples = p.Stages[0], p.Sets[0][:1], []string{"metrics"}, p.Bootstrap
	}
	r := p.Recipe(p.Sets[0][:1], stage)
	r.Images = metamer.ImageRef{Name: set.Name, Count: set.Len(), Size: set.Size, SHA256: set.SHA256()}
	run := &metamer.Run{Recipe: r}
	for i := range set.Len() {
		run.Metamers = append(run.Metamers, set.Image(set.Len()-1-i)...)
	}
	whole := [2]float64{}
	for round := range whole {
		another := *run
		q.Runs = append(q.Runs, &another)
		var use [2]metamer.Usage // at the first and the last report
		seen := false
		q.Progress = func(p metamer.Progress) {
			if !seen {
				use[0], seen = p.Usage, true
			}
			use[1] = p.Usage
		}
		began := time.Now()
		if _, err := e.Evaluate(ctx, q); err != nil {
			return j, err
		}
		whole[round] = time.Since(began).Seconds()
		j.Busy = busy(use[0], use[1], time.Since(began))
	}
	// The second time both runs; the references are those of the first.
	j.Each, j.Images = whole[1]/2, set.Len()
	j.Compile = max(whole[0]-2*j.Each, 0)
	return j, nil
}
