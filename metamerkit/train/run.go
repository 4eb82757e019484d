package train

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	gomlx "github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/metric"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo/block"
)

// Job is one training.
type Job struct {
	Backend *backend.Backend
	Card    *card.Card // family, config, input and classes are read; its weights need not exist
	Train   *images.Set
	Options Options
	From    map[string]*tensors.Tensor // weights to begin with, by scope path, all of the card's; nil: initial. Options.From names them

	Dir      string        // folder of the checkpoint; "": none
	Every    time.Duration // between checkpoints; 0: five minutes
	Fallback bool          // go on with PGD-3 when fast adversarial training collapses, rather than stop
	Progress func(Progress)
	Warn     func(string)

	now func() time.Time // the clock of Within; nil: time.Now
}

// Progress is what a run says after a step.
type Progress struct {
	Step, Steps, Epoch int
	Share              float64 // of the whole that is done
	Loss, Accuracy     float64 // of the step's batch, as it was trained on
	Rate               float64
	ImagesPerSecond    float64 // compilation left out; 0 at the first step of a run
	Left               time.Duration
	Last               *Point // the latest watch, nil before the first
}

// Point is the state of a training at the end of an epoch. NaN stands for what was
// not measured.
type Point struct {
	Step     int     `json:"step"`
	Epoch    int     `json:"epoch"`
	Rate     float64 `json:"rate"`
	Loss     float64 `json:"loss"`     // mean over the epoch
	Accuracy float64 `json:"accuracy"` // mean over the epoch, on what was trained on
	HeldOut  float64 `json:"held_out"` // held-out images, clean, with averaged weights if there are
	Attacked float64 `json:"attacked"` // held-out images under PGD-10, with the weights themselves; standard training: -1
	Method   string  `json:"method,omitempty"`
}

// Result is what a training gave.
type Result struct {
	Weights map[string]*tensors.Tensor // by scope path; averaged if the options say so
	Points  []Point
	Steps   int
	Seconds float64 // of all runs that it took
	Events  []string
	Devices []string // that computed it
}

// CollapseError reports catastrophic overfitting: fast adversarial training whose
// model is suddenly robust against the training's own attack only.
type CollapseError struct {
	Epoch     int
	Best, Now float64
}

func (e *CollapseError) Error() string {
	return fmt.Sprintf("train: catastrophic overfitting: accuracy under PGD-10 on held-out images fell from %.1f %% to %.1f %% at the end of epoch %d; train with --method pgd:3 or a smaller learning rate, or let it fall back (--fallback)", 100*e.Best, 100*e.Now, e.Epoch)
}

// job is a run under way.
type job struct {
	Job
	o       Options // with defaults
	forward zoo.Forward
	data    *images.Set // trained on
	held    *images.Set
	store   *model.Store
	paths   []string // of the model's variables
	eval    *Evaluator
	update  *updater
	right   *Node // of the graph being drawn: share classified rightly
	state   state
	began   time.Time
	warm    time.Time // when this run's first step, compilation included, had ended
	before  int       // steps taken before that
	stood   float64   // the clock then
}

// Run trains. With a Dir it takes up the checkpoint in it, and the same call after
// an interruption goes on from there. When ctx ends it saves and returns an error
// that wraps ctx's.
func Run(ctx context.Context, q Job) (*Result, error) {
	j, err := newJob(q)
	if err != nil {
		return nil, err
	}
	if err := j.restore(); err != nil {
		return nil, err
	}
	if err := exceptions.TryCatch[error](func() { err = j.run(ctx) }); err != nil {
		return nil, fmt.Errorf("train: %s: %w", j.Card.Name, err)
	}
	if err != nil {
		return nil, err
	}
	w, err := j.weights(true)
	if err != nil {
		return nil, err
	}
	for p, t := range w {
		if w[p], err = t.LocalClone(); err != nil {
			return nil, err
		}
	}
	return &Result{Weights: w, Points: j.state.Points, Steps: j.state.Step, Seconds: j.seconds(), Events: j.state.Events, Devices: j.state.Devices}, nil
}

func newJob(q Job) (*job, error) {
	if q.Progress == nil {
		q.Progress = func(Progress) {}
	}
	if q.Warn == nil {
		q.Warn = func(string) {}
	}
	if q.Every == 0 {
		q.Every = 5 * time.Minute
	}
	if q.now == nil {
		q.now = time.Now
	}
	if err := checkSet(q.Train, "training", q.Card.Classes); err != nil {
		return nil, err
	}
	o, err := q.Options.withDefaults(q.Train.Size)
	if err != nil {
		return nil, err
	}
	j := &job{Job: q, o: o, began: q.now()}
	n := q.Train.Len() - o.HeldOut
	if n < o.Batch {
		return nil, fmt.Errorf("train: %d training images less %d held out are fewer than a batch of %d", q.Train.Len(), o.HeldOut, o.Batch)
	}
	j.held = q.Train.Slice(n, q.Train.Len())
	if o.Limit > 0 {
		n = max(min(n, o.Limit), o.Batch)
	}
	j.data = q.Train.Slice(0, n)
	if j.forward, err = zoo.Build(q.Card); err != nil {
		return nil, err
	}
	want, err := zoo.Variables(q.Card, j.forward)
	if err != nil {
		return nil, fmt.Errorf("train: %s: %w", q.Card.Name, err)
	}
	j.paths = slices.Sorted(maps.Keys(want))
	first, err := j.first(want)
	if err != nil {
		return nil, err
	}
	j.store = model.NewStore()
	put := func(path string, t *tensors.Tensor) {
		if err == nil {
			_, err = j.store.CreateVariable(path, t)
		}
	}
	put(dataPath+"/images", bytes(j.data))
	put(dataPath+"/labels", labels(j.data))
	for _, p := range j.paths {
		if o.Average != "" {
			c, e := first[p].LocalClone()
			err = errors.Join(err, e)
			put(averagePath+p, c)
		}
		if trainable(p) {
			put(slotPath+p, tensors.FromShape(want[p]))
			if o.Optimizer == "adamw" {
				put(secondPath+p, tensors.FromShape(want[p]))
			}
		}
		put(p, first[p])
	}
	for v := range j.store.IterVariables() {
		v.SetTrainable(false)
	}
	j.eval = NewEvaluator(q.Backend.Compute, q.Card, &zoo.Net{Forward: j.forward, Weights: first}, min(o.Attacked, 128), q.Train.Size)
	j.update = &updater{o: o}
	j.state = state{Method: o.Method}
	return j, err
}

// first is the weights that the training begins with; the job's own are copied.
func (j *job) first(want map[string]shapes.Shape) (map[string]*tensors.Tensor, error) {
	if j.From == nil {
		return initial(want, j.o.Seed), nil
	}
	out := map[string]*tensors.Tensor{}
	for _, p := range j.paths {
		t := j.From[p]
		if t == nil || !t.Shape().Equal(want[p]) {
			return nil, fmt.Errorf("train: the weights of %s do not fit %s: %s is missing or not of shape %v", j.o.From, j.Card.Name, p, want[p].Dimensions)
		}
		c, err := t.LocalClone()
		if err != nil {
			return nil, fmt.Errorf("train: %s: %w", p, err)
		}
		out[p] = c
	}
	return out, nil
}

// steps is the number of all steps.
func (j *job) steps() int { return j.o.Epochs * j.perEpoch() }

func (j *job) perEpoch() int { return j.data.Len() / j.o.Batch }

func (j *job) seconds() float64 { return j.state.Seconds + j.now().Sub(j.began).Seconds() }

// place is where a step stands in the schedule: at the step, or further on where the
// clock of Within is nearer its end.
func (j *job) place(step int) float64 {
	return max(float64(step), j.clock()*float64(j.steps()))
}

// clock is the share of the schedule that Within has passed, 0 without it. It stands
// still during a run's first step, which is compiled, and then covers what is left of the
// schedule in what is left of the time.
func (j *job) clock() float64 {
	if j.o.Within == 0 || j.warm.IsZero() {
		return j.state.Clock
	}
	since := j.now().Sub(j.warm).Seconds()
	left := j.o.Within.Seconds() - (j.seconds() - since)
	if since >= left {
		return 1
	}
	return j.stood + (1-j.stood)*since/left
}

// share is the part of the schedule that had passed when the last step was counted.
func (j *job) share() float64 {
	return max(float64(j.state.Step)/float64(j.steps()), j.state.Clock)
}

// done reports whether the schedule has ended.
func (j *job) done() bool { return j.share() >= 1 }

// errEnough ends GoMLX's loop before its last step.
var errEnough = errors.New("the schedule has ended")

// precision is the type of activations in training.
func (j *job) precision() dtypes.DType {
	if j.o.Precision == "bf16" || j.o.Precision == "auto" && j.Backend.Kind == backend.CUDA {
		return dtypes.BFloat16
	}
	return dtypes.Float32
}

// draw is the graph of a step up to its loss. The spec is the method of the attack.
func (j *job) draw(s *model.Scope, spec any, in []*Node) []*Node {
	index, shift, flip, cut, rng, hyper := in[0], in[1], in[2], in[3], in[4], in[5]
	g := index.Graph()
	j.update.hyper = hyper
	data := func(name string) *Node { return s.Store().GetVariable(dataPath + "/" + name).NodeValue(g) }
	x, target := augment(j.o, data("images"), data("labels"), index, shift, flip, cut, j.update.number(hyperMix), j.Card.Classes)
	logits := func(x *Node) *Node {
		return j.forward(s, ConvertDType(zoo.Prepare(j.Card.Input, x), j.precision()))
	}
	if name := spec.(string); name != "" {
		m, err := parseMethod(name)
		if err != nil {
			panic(err)
		}
		block.HoldStatistics(g, func() {
			x = m.craft(j.o.Threat, x, rng, func(x *Node) *Node { return ReduceAllSum(crossEntropy(logits(x), target)) })
		})
	}
	y := ConvertDType(logits(x), dtypes.Float32)
	gomlx.AddMainLoss(ReduceAllMean(crossEntropy(y, target)))
	j.right = ReduceAllMean(ConvertDType(Equal(ArgMax(y, -1), ArgMax(target, -1)), dtypes.Float32))
	return []*Node{y}
}

// run takes the steps that are left.
func (j *job) run(ctx context.Context) error {
	accuracy := metric.NewBaseMetric("Accuracy", "accuracy", metric.AccuracyMetricType,
		func(*model.Scope, []*Node, []*Node) *Node { return j.right }, nil)
	trainer := gomlx.NewTrainer(j.Backend.Compute, j.store, j.draw, nil, j.update, []metric.Interface{accuracy}, nil)
	loop := gomlx.NewLoop(trainer)
	saved := time.Now()
	loop.OnStep("watch", 0, func(_ *gomlx.Loop, metrics []*tensors.Tensor) error {
		loss, acc := tensors.ToScalar[float32](metrics[0]), tensors.ToScalar[float32](metrics[2])
		if math.IsNaN(float64(loss)) || math.IsInf(float64(loss), 0) {
			return fmt.Errorf("the loss is %v at step %d: lower the learning rate (%v) or clip the gradient", loss, j.state.Step, j.o.LR)
		}
		j.note(float64(loss), float64(acc))
		done := j.done()
		if done && j.state.Step < j.steps() {
			j.state.Events = append(j.state.Events, fmt.Sprintf("the schedule ended by the clock (within %v) after %d of %d steps", j.o.Within, j.state.Step, j.steps()))
		}
		if done || j.state.Step%j.perEpoch() == 0 {
			if err := j.watch(ctx); err != nil {
				return err
			}
		}
		if j.Dir != "" && (time.Since(saved) >= j.Every || ctx.Err() != nil || done) {
			if err := j.save(); err != nil {
				return err
			}
			saved = time.Now()
		}
		if done && ctx.Err() == nil {
			return errEnough
		}
		return ctx.Err()
	})
	in := &feed{o: j.o, n: j.data.Len(), side: j.data.Size, steps: j.steps(), first: j.state.Step, spec: func() any { return j.state.Method }, place: j.place}
	if j.done() {
		return nil
	}
	if d := j.Backend.Device(); !slices.Contains(j.state.Devices, d) {
		j.state.Devices = append(j.state.Devices, d)
	}
	_, err := loop.RunSteps(in, j.steps()-j.state.Step)
	if errors.Is(err, errEnough) {
		return nil
	}
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("train: %s stopped after step %d of %d; run the same command to resume: %w", j.Card.Name, j.state.Step, j.steps(), ctx.Err())
	}
	return err
}

// note counts a step and reports it.
func (j *job) note(loss, acc float64) {
	j.state.Loss, j.state.Accuracy, j.state.Counted = j.state.Loss+loss, j.state.Accuracy+acc, j.state.Counted+1
	rate := j.o.rate(j.place(j.state.Step), j.steps())
	j.state.Step++
	p := Progress{Step: j.state.Step, Steps: j.steps(), Epoch: (j.state.Step - 1) / j.perEpoch(), Loss: loss, Accuracy: acc, Rate: rate}
	if j.warm.IsZero() {
		j.warm, j.before, j.stood = j.now(), j.state.Step, j.state.Clock
	} else {
		done, took := float64(j.state.Step-j.before), j.now().Sub(j.warm).Seconds()
		p.ImagesPerSecond = done * float64(j.o.Batch) / took
		p.Left = time.Duration(float64(j.steps()-j.state.Step) / done * took * float64(time.Second))
		if j.o.Within > 0 {
			p.Left = min(p.Left, time.Duration(max(j.o.Within.Seconds()-j.seconds(), 0)*float64(time.Second)))
		}
	}
	j.state.Clock = j.clock()
	p.Share = j.share()
	if n := len(j.state.Points); n > 0 {
		p.Last = &j.state.Points[n-1]
	}
	j.Progress(p)
}

// weights returns the model's variables, on the device; averaged ones if there are.
func (j *job) weights(averaged bool) (map[string]*tensors.Tensor, error) {
	out := map[string]*tensors.Tensor{}
	for _, p := range j.paths {
		v := j.store.GetVariable(p)
		if averaged && j.o.Average != "" {
			v = j.store.GetVariable(averagePath + p)
		}
		t, err := v.Value()
		if err != nil {
			return nil, fmt.Errorf("train: %s: %w", p, err)
		}
		out[p] = t
	}
	return out, nil
}
