package study

import (
	"maps"
	"runtime"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Part is a run of a plan before it is made.
type Part struct {
	Set       []string
	Stage     string
	Against   []string      // see Cell
	Stored    bool          // it is in the store
	Evaluated bool          // and its rows are
	Expected  time.Duration // 0 where it is stored, or where Forecast.Unknown says so
	Bytes     int64         // on disk
}

// Forecast is what a plan takes, before it begins.
type Forecast struct {
	Parts       []Part
	Evaluations int           // pairs of a run and an observer
	Evaluation  time.Duration // of all of them
	Overlap     time.Duration // how much less all takes because evaluations are made beside steps
	Tail        time.Duration // of what is left when the last run has taken its steps
	Gradients   int64         // model gradient evaluations of one image that are left
	Measured    time.Duration // what measuring took just before
	Products    int64         // with JᵀJ, at most, for distortions that are left; no duration has them
	Distortions int           // images at a stage whose distortions are left
	Unknown     []string      // models at stages whose speed is not known: the durations lack them

	each map[string]load // the evaluation of a run at a stage
}

// turns is how many of a recipe's evaluations are those of member i.
func turns(r metamer.Recipe, i int) float64 {
	members, all := len(r.Tapped()), r.Evaluations(r.AllSteps())
	if r.Schedule.Kind != metamer.Switch || r.Schedule.Order == "random" {
		return float64(all) / float64(members)
	}
	period := r.Schedule.Every * members // whole periods, and what of the last one is its turn
	return float64(all/period*r.Schedule.Every + min(max(all%period-i*r.Schedule.Every, 0), r.Schedule.Every))
}

// matching is what the match statistics of n images take.
func (v Speed) matching(n int) float64 { return v.Matching * float64(n) / float64(max(v.Images, 1)) }

// load is work: how long it takes alone, and the processor time that it needs, in seconds
// of all cores.
type load struct{ seconds, processor float64 }

// add puts work behind the work so far; busy is the share of the cores that it needs, 0: all.
func (l *load) add(seconds, busy float64) {
	if busy == 0 {
		busy = 1
	}
	l.seconds += seconds
	l.processor += seconds * busy
}

// join puts other work behind the work so far.
func (l *load) join(o load) { l.seconds, l.processor = l.seconds+o.seconds, l.processor+o.processor }

// beside is how much longer o takes with l done beside it.
func (l load) beside(o load) float64 {
	return max(l.seconds, o.seconds, l.processor+o.processor) - o.seconds
}

// Left is the expected duration of all that is not stored.
func (f *Forecast) Left() time.Duration {
	d := f.Evaluation - f.Overlap
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
// are asked. warm are the keys of what is compiled; stored says which runs are in the
// store, and whether their rows are.
func (p Plan) Forecast(s *Speeds, warm map[string]bool, set *images.Set, stored func(r metamer.Recipe, observers int) (run, rows bool)) *Forecast {
	f := &Forecast{}
	open := map[string]int{} // runs without rows, by stage
	n, size := set.Len(), set.Size
	compiled, unknown := maps.Clone(warm), map[string]bool{}
	if compiled == nil {
		compiled = map[string]bool{}
	}
	lacks := func(model, stage string) {
		if what := model + ", " + stage; !unknown[what] {
			unknown[what] = true
			f.Unknown = append(f.Unknown, what)
		}
	}
	known := func(model, stage string, batch int) (Speed, bool) {
		v, ok := s.Of[s.key(p, model, stage, batch, size)]
		if !ok {
			lacks(model, stage)
		}
		return v, ok
	}
	last := -1               // the run before that is to be made: beside its steps the next one's units are compiled
	var steps load           // its steps
	var all, concurrent load // the steps of all runs, and what is done beside them: match statistics and evaluations
	matching := 0.0          // of the last run
	files := s.files(size) * float64(n)
	cores := float64(runtime.NumCPU())
	probed := map[string]bool{} // members at stages whose compiled units serve an evaluation too
	for _, c := range p.Cells() {
		r, stage := p.Of(c), c.Stage
		r.Images = metamer.ImageRef{Name: set.Name, Count: n, Size: size}
		part := Part{Set: c.Set, Stage: stage, Against: c.Against, Bytes: int64(n) * int64(size*size*3) * 10} // two arrays of float32, previews
		batch := min(r.Batch, n)
		batches := float64((n + batch - 1) / batch)
		evaluations := float64(r.Evaluations(r.AllSteps()))
		observers := len(p.Observers)
		if c.Against != nil { // measured by the members, which takes next to nothing
			observers = len(c.Set)
		}
		part.Stored, part.Evaluated = stored(r, observers)
		if !part.Evaluated {
			f.Evaluations += observers
			if c.Against == nil {
				open[stage]++
			}
		}
		if !part.Stored {
			f.Gradients += int64(evaluations) * int64(n)
			var compile, own load
			sum, evaluated := 0.0, 0.0
			for i, m := range r.Tapped() {
				m, stage := m.Name, r.StageOf(i)
				v, ok := known(m, stage, batch)
				if !ok {
					continue
				}
				if batch == min(api.Evaluation{}.WithDefaults().Batch, n) {
					probed[m+", "+stage] = true
				}
				own.add(batches*turns(r, i)*v.Step, v.StepBusy)
				evaluated += v.matching(n)
				if key := s.key(p, m, stage, batch, size); !compiled[key] {
					compiled[key] = true
					evaluated += v.Null
					compile.add(v.Compile, v.CompileBusy)
				}
			}
			sum += evaluated
			if last < 0 {
				sum += compile.seconds
			} else {
				sum += compile.beside(steps)
			}
			part.Expected = seconds(sum + own.seconds + files/cores) // written beside the next run
			concurrent.add(matching, 1)
			last, steps, matching = len(f.Parts), own, evaluated
			all.join(own)
		}
		f.Parts = append(f.Parts, part)
	}
	if last >= 0 {
		f.Parts[last].Expected += seconds(files * (1 - 1/cores))
	}
	p.forecastEvaluation(f, s, n, size, func(key, observer, stage string) bool { return warm[key] || probed[observer+", "+stage] }, open, lacks)
	f.overlap(all, concurrent, matching, last)
	return f
}
