package study

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
)

// forecastEvaluation adds the evaluation of so many runs a stage: by each observer, what
// it reads of the references once, and the intervals.
func (p Plan) forecastEvaluation(f *Forecast, s *Speeds, n, size int, compiled func(key, observer, stage string) bool, open map[string]int, lacks func(model, stage string)) {
	unit := nonzero(s.Unit)
	per := 0.0
	if f.Evaluations > 0 {
		per = resampling(n, p.Bootstrap, p.observed())
	}
	sum := 0.0
	f.each = map[string]load{}
	timed := func(observer, stage string) (v EvaluationSpeed) {
		key := s.evaluationKey(p, observer, stage, size)
		v, ok := s.Evaluations[key]
		if !ok {
			lacks(observer, stage)
		}
		sum += v.of(n) * unit // the references
		if !compiled(key, observer, stage) {
			sum += v.Compile * unit
		}
		return v
	}
	var metrics *EvaluationSpeed
	for _, stage := range p.Stages {
		if open[stage] == 0 {
			continue
		}
		var one load
		if slices.Contains(p.measures(), "metrics") {
			if metrics == nil {
				v := timed("", "")
				metrics = &v
			}
			one.add(metrics.of(n)*unit, metrics.Busy)
		}
		if len(p.observed()) > 0 {
			for _, o := range p.Observers {
				v := timed(o, stage)
				one.add((v.of(n)+per)*unit, v.Busy)
			}
		}
		f.each[stage] = one
		sum += float64(open[stage]) * one.seconds
	}
	f.Evaluation = seconds(sum)
}

// overlap says what is done beside the steps of all runs: the match statistics of all but the
// last one, and the evaluations of those before it. matching is of the last one, which is
// f.Parts[last].
func (f *Forecast) overlap(steps, concurrent load, matching float64, last int) {
	f.Tail = f.Evaluation
	if last < 0 {
		return
	}
	behind := load{} // the last two runs
	for _, p := range f.Parts[max(len(f.Parts)-2, 0):] {
		if !p.Evaluated && p.Against == nil {
			behind.join(f.each[p.Stage])
		}
	}
	early, busy := max(f.Evaluation.Seconds()-behind.seconds, 0), 0.0
	for _, v := range f.each {
		if v.seconds > 0 {
			busy = max(busy, v.processor/v.seconds)
		}
	}
	concurrent.add(early, busy)
	if steps.processor < steps.seconds/2 { // steps that need more of the cores wait as long as is gained (docs/studies.md)
		f.Overlap = seconds(max(concurrent.seconds-concurrent.beside(steps), 0))
	}
	f.Tail = seconds(behind.seconds + matching)
}

// probeResamples are the resamples of an evaluation that is measured.
const probeResamples = 100

// resampling is measureResampling; a test puts a known time in its place.
var resampling = measureResampling

// measureResampling measures what the intervals of one run by one observer take, in seconds, from
// a part of the resamples: beyond those of an evaluation that was measured.
func measureResampling(n, resamples int, measures []string) float64 {
	if n < 4 || !meet(measures, []string{"jsd", "rsa", "cka"}) {
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
	few, many := 10, 60
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
	once := func(resamples int) float64 {
		boot := evaluate.Bootstrap{Resamples: resamples}
		began := time.Now()
		for _, m := range measures { // of random numbers: only the time counts
			switch m {
			case "jsd":
				_, _ = evaluate.NewJSD(pa, pb, 0, boot)
			case "rsa":
				_, _, _, _ = evaluate.RSA(pa, pb, boot)
			case "cka":
				_, _, _ = evaluate.CKA(a, b, boot)
			}
		}
		return time.Since(began).Seconds()
	}
	took := func(resamples int) float64 { return min(once(resamples), once(resamples), once(resamples)) }
	first := took(few)
	each := max(took(many)-first, 0) / float64(many-few) // some of the time does not depend on resamples
	return each * float64(max(resamples-probeResamples, 0))
}
