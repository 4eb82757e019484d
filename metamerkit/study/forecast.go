package study

import (
	"context"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
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

// turns is how many of a recipe's evaluations are those of member i.
func turns(r metamer.Recipe, i int) float64 {
	members, all := len(r.Models), r.Evaluations(r.Steps)
	if r.Schedule.Kind != "switch" || r.Schedule.Order == "random" {
		return float64(all) / float64(members)
	}
	period := r.Schedule.Every * members // whole periods, and what of the last one is its turn
	return float64(all/period*r.Schedule.Every + min(max(all%period-i*r.Schedule.Every, 0), r.Schedule.Every))
}

// ofPairs is the share of the evidence of 16 images that their pairs take, for the null
// distribution: seen on two networks, whose evidence of 400 images took 17 times as long.
const ofPairs = 0.4

// evidence is that of n images, of which so many pairs at most are compared.
func (v Speed) evidence(n, pairs int) float64 {
	of := func(n int) float64 { return float64(max(min(n*(n-1), pairs), 1)) }
	k := max(v.Images, 1)
	return v.Evidence * ((1-ofPairs)*float64(n)/float64(k) + ofPairs*of(n)/of(k))
}

// load is work: how long it takes alone, and the processor time that it needs, in seconds
// of all cores.
type load struct{ seconds, processor float64 }

// add puts work behind what is there; busy is the share of the cores that it needs, 0: all.
func (l *load) add(seconds, busy float64) {
	if busy == 0 {
		busy = 1
	}
	l.seconds += seconds
	l.processor += seconds * busy
}

// beside is how much longer o takes with l done beside it.
func (l load) beside(o load) float64 {
	return max(l.seconds, o.seconds, l.processor+o.processor) - o.seconds
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
	last := -1     // the run before that is to be made: beside its steps the next one's units are compiled
	var steps load // its steps
	files := s.files(size) * float64(n)
	cores := float64(runtime.NumCPU())
	probed := map[string]bool{} // members at stages whose compiled units serve an evaluation too
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
				var compile, own load
				sum := 0.0
				for i, m := range members {
					v, ok := known(m, stage, batch)
					if !ok {
						continue
					}
					if batch == min(ask.Evaluation{}.WithDefaults().Batch, n) {
						probed[m+", "+stage] = true
					}
					own.add(batches*turns(r, i)*v.Step, v.StepBusy)
					sum += v.evidence(n, r.NullPairs)
					if key := s.key(p, m, stage, batch, size); !compiled[key] {
						compiled[key] = true
						compile.add(v.Compile, v.CompileBusy)
					}
				}
				if last < 0 {
					sum += compile.seconds
				} else {
					sum += compile.beside(steps)
				}
				part.Expected = seconds(sum + own.seconds + files/cores) // written beside the next run
				last, steps = len(f.Parts), own
			}
			f.Parts = append(f.Parts, part)
		}
	}
	if last >= 0 {
		f.Parts[last].Expected += seconds(files * (1 - 1/cores))
	}
	// Runs by observers, what an observer reads of the references once, and intervals.
	per, sum := 0.0, 0.0
	if f.Evaluations > 0 {
		per = resampling(n, p.Bootstrap, p.observed())
	}
	judging := func(observer, stage string, runs int) {
		key := s.judgeKey(p, observer, stage, size)
		v, ok := s.Judging[key]
		if what := observer + ", " + stage; !ok && !unknown[what] {
			unknown[what] = true
			f.Unknown = append(f.Unknown, what)
		}
		sum += float64(runs+1) * v.of(n)
		if !warm[key] && !probed[observer+", "+stage] {
			sum += v.Compile
		}
	}
	all := 0
	for _, stage := range p.Stages {
		all += open[stage]
		if open[stage] == 0 || len(p.observed()) == 0 {
			continue
		}
		for _, o := range p.Observers {
			judging(o, stage, open[stage])
			sum += float64(open[stage]) * per
		}
	}
	if all > 0 && slices.Contains(p.measures(), "metrics") {
		judging("", "", all)
	}
	if s.Unit > 0 {
		sum *= s.Unit
	}
	f.Evaluation = seconds(sum)
	return f
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
