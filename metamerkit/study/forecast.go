package study

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/ask"
	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Part is a run of a plan before it is made.
type Part struct {
	Set      []string
	Stage    string
	There    bool          // it is in the store
	Judged   bool          // and its rows are
	Expected time.Duration // 0 where it is there, or where Forecast.Unknown says so
	Bytes    int64         // on disk
}

// Forecast is what a plan takes, before it begins.
type Forecast struct {
	Parts       []Part
	Evaluations int           // pairs of a run and an observer
	Evaluation  time.Duration // of all of them
	Gradients   int64         // model gradient evaluations of one image that are left
	Measured    time.Duration // what measuring took just before
	Unknown     []string      // models at stages whose speed is not known: the durations lack them
}

// Left is the expected duration of all that is not there.
func (f *Forecast) Left() time.Duration {
	d := f.Evaluation
	for _, p := range f.Parts {
		d += p.Expected
	}
	return d
}

// Bytes is what all runs take on disk.
func (f *Forecast) Bytes() (n int64) {
	for _, p := range f.Parts {
		n += p.Bytes
	}
	return n
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// Forecast says what a resolved plan takes with these images, of which count and size
// are asked. warm are the keys of what is compiled; there says which runs are in the
// store, and whether their rows are.
func (p Plan) Forecast(s *Speeds, warm map[string]bool, set *images.Set, there func(r metamer.Recipe, observers int) (run, rows bool)) *Forecast {
	f := &Forecast{}
	open := map[string]int{} // runs without rows, by stage
	n, size := set.Len(), set.Size
	compiled, unknown := maps.Clone(warm), map[string]bool{}
	if compiled == nil {
		compiled = map[string]bool{}
	}
	known := func(model, stage string, batch int) (Speed, bool) {
		v, ok := s.Of[s.key(p, model, stage, batch, size)]
		if !ok && !unknown[model+", "+stage] {
			unknown[model+", "+stage] = true
			f.Unknown = append(f.Unknown, model+", "+stage)
		}
		return v, ok
	}
	for _, members := range p.Sets {
		for _, stage := range p.Stages {
			r := p.Recipe(members, stage)
			r.Images = metamer.ImageRef{Name: set.Name, Count: n, Size: size}
			part := Part{Set: members, Stage: stage, Bytes: int64(n) * int64(size*size*3) * 10} // two arrays of float32, previews
			batch := min(r.Batch, n)
			batches := float64((n + batch - 1) / batch)
			evaluations := float64(r.Evaluations(r.Steps))
			part.There, part.Judged = there(r, len(p.Observers))
			if !part.Judged {
				open[stage]++
				f.Evaluations += len(p.Observers)
			}
			if !part.There {
				f.Gradients += int64(evaluations) * int64(n)
				sum := s.files() * float64(n)
				for _, m := range members {
					v, ok := known(m, stage, batch)
					if !ok {
						continue
					}
					sum += batches*evaluations*v.Step/float64(len(members)) + v.Evidence*float64(n)/float64(max(v.Images, 1))
					if key := s.key(p, m, stage, batch, size); !compiled[key] {
						compiled[key] = true
						sum += v.Compile
					}
				}
				part.Expected = seconds(sum)
			}
			f.Parts = append(f.Parts, part)
		}
	}
	// An evaluation reads what evidence reads, and resamples.
	per, sum := 0.0, 0.0
	if f.Evaluations > 0 {
		per = resampling(n, p.Bootstrap)
	}
	for _, stage := range p.Stages {
		for _, o := range p.Observers {
			if open[stage] == 0 {
				continue
			}
			batch := min(p.Recipe(p.Sets[0], stage).Batch, n)
			v, ok := known(o, stage, batch)
			if !ok {
				continue
			}
			sum += float64(open[stage]) * (v.Evidence*float64(n)/float64(max(v.Images, 1)) + per)
			if !compiled[s.key(p, o, stage, batch, size)] {
				sum += v.Compile / 2 // no gradient
			}
		}
	}
	if s.Unit > 0 {
		sum *= s.Unit
	}
	f.Evaluation = seconds(sum)
	return f
}

// resampling measures what the intervals of one run by one observer take, in seconds:
// with few images at once, of more from a part of the resamples.
func resampling(n, resamples int) float64 {
	if n < 4 {
		return 0
	}
	if resamples == 0 {
		resamples = 2000 // evaluate.Bootstrap's default
	}
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	acts := func() evaluate.Held {
		out := make(evaluate.Held, n)
		for i := range out {
			out[i] = make([]float32, 64)
			for k := range out[i] {
				out[i][k] = rng.Float32()
			}
		}
		return out
	}
	few := 100
	ctx := context.Background()
	a, errA := evaluate.NewGram(ctx, acts(), 0)
	b, errB := evaluate.NewGram(ctx, acts(), 0)
	if errA != nil || errB != nil {
		return 0
	}
	pa, errA := a.Matrix("pearson")
	pb, errB := b.Matrix("pearson")
	if errA != nil || errB != nil {
		return 0
	}
	boot := evaluate.Bootstrap{Resamples: few}
	began := time.Now()
	_, _ = evaluate.NewJSD(pa, pb, 0, boot) // of random numbers: only the time counts
	_, _, _, _ = evaluate.RSA(pa, pb, boot)
	_, _, _ = evaluate.CKA(a, b, boot)
	return time.Since(began).Seconds() * float64(resamples) / float64(few)
}

// probeSteps are the steps of a measurement.
const probeSteps = 12

// Calibrate measures the models of a resolved plan whose speed is not known yet, each
// at each stage, on one batch. It returns the keys of these: what was compiled for them
// the engine uses again.
func (p Plan) Calibrate(ctx context.Context, e ask.Engine, s *Speeds, set *images.Set, progress func(done, total int, what string)) (warm map[string]bool, err error) {
	type pair struct {
		model, stage string
		batch        int
	}
	var todo []pair
	warm = map[string]bool{}
	seen := map[string]bool{}
	note := func(m, stage string) {
		batch := min(p.Recipe([]string{m}, stage).Batch, set.Len())
		key := s.key(p, m, stage, batch, set.Size)
		if _, ok := s.Of[key]; !ok && !seen[key] {
			seen[key] = true
			todo = append(todo, pair{m, stage, batch})
		}
	}
	for _, stage := range p.Stages {
		for _, members := range p.Sets {
			for _, m := range members {
				note(m, stage)
			}
		}
		for _, o := range p.Observers {
			note(o, stage)
		}
	}
	for i, t := range todo {
		progress(i, len(todo), t.model+", "+t.stage)
		v, err := p.measure(ctx, e, t.model, t.stage, set.Slice(0, t.batch))
		if err != nil {
			return warm, errors.Join(fmt.Errorf("study: measuring %s at %s: %w", t.model, t.stage, err), s.save())
		}
		key := s.key(p, t.model, t.stage, t.batch, set.Size)
		s.Of[key], warm[key] = v, true
	}
	if len(todo) == 0 {
		return warm, nil
	}
	return warm, s.save()
}

// measure makes a short run twice: the first time compiles.
func (p Plan) measure(ctx context.Context, e ask.Engine, model, stage string, set *images.Set) (v Speed, err error) {
	whole := [2]float64{}
	for round := range whole {
		r := p.Recipe([]string{model}, stage)
		if r.Steps = probeSteps; round == 0 {
			r.Steps = 1
		}
		r.NullPairs = min(r.NullPairs, max(set.Len()*(set.Len()-1)/2, 1))
		began := time.Now()
		var w watch
		if _, err := e.Synthesize(ctx, ask.Synthesis{Recipe: r, Images: set, Progress: w.see}); err != nil {
			return v, err
		}
		whole[round] = time.Since(began).Seconds()
		if v.Step = w.step(); v.Step == 0 { // one call made all steps
			v.Step = w.after.Sub(began).Seconds() / probeSteps
		}
		v.Evidence, v.Images = time.Since(w.after).Seconds(), set.Len()
	}
	v.Compile = max(whole[0]-v.Step-v.Evidence, 0)
	return v, nil
}
