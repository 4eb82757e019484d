// Package metamer holds the vocabulary of the project and its results: what a
// run is made from (Recipe), what it gave (Run, MatchStatistics), and the names that
// stages, schedules, optimisers, losses, penalties and starts go by. It computes
// nothing and links no GoMLX.
package metamer

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Stages are the depths at which networks of every kind are compared; a model's
// card maps each to one named layer.
var Stages = []string{"early", "middle", "late"}

// The schedules.
const (
	Switch  = "switch"  // one active member, in turns
	Average = "average" // all members at every step
)

// DefaultOptimizer makes the metamers of recipes, plans and cells that name no other. It
// chooses lbfgs or fourier by the size of the images and the layers (docs/fast.md).
const DefaultOptimizer = "fast"

// The names a recipe may use. Those of optimisers are Optimizers(); losses, penalties and
// starts are in parts.go.
var (
	Schedules  = []string{Switch, Average}
	orders     = []string{"given", "random"}
	Metrics    = []string{"1/f", "natural", "pixels"}
	Precisions = []string{"float32", "bfloat16", "mixed"}
)

// ModelRef names a model and pins its weights.
type ModelRef struct {
	Name   string `json:"name"`           // as on its card, such as resnet20_cifar10
	Layer  string `json:"layer"`          // the named layer that the stage stands for
	SHA256 string `json:"sha256"`         // of the weight file
	WarmUp string `json:"warm,omitempty"` // its layer at the stage of WarmUp
}

// ImageRef names an image set and pins its pixels.
type ImageRef struct {
	Name   string `json:"name"`
	Count  int    `json:"count"`
	Size   int    `json:"size"`   // pixels a side
	SHA256 string `json:"sha256"` // images.Set.SHA256

	// Of a part of the set called Name: where it begins, and how many images the whole
	// has. The part's metamers have the bits that they have in the run of the whole.
	First int `json:"first,omitempty"`
	Of    int `json:"of,omitempty"` // 0: the whole
}

// Schedule says which model is active at which step.
type Schedule struct {
	Kind  string `json:"kind"`  // switch (one active model; the paper's) | average (all, every step)
	Every int    `json:"every"` // switch: steps until the next model; default 10
	Order string `json:"order"` // switch: given | random (each round a seeded permutation)
}

// Optimizer says how a gradient becomes a step. Every step is followed by a
// clamp to [0,1].
type Optimizer struct {
	// Name is one of Optimizers(). One that chooses among others stands in no run's recipe:
	// that names the optimiser it chose.
	Name string `json:"name"`
	// The settings of optimisers. Each says in its file of package synth which of them it
	// has, in which unit and with which default (Solver.Units, SettingHelp).
	StepSize float64 `json:"stepSize" yaml:"stepSize,omitempty"`
	Halvings int     `json:"halvings" yaml:"halvings,omitempty"` // equal intervals of the run, after each of which the step size is halved
	Momentum float64 `json:"momentum" yaml:"momentum,omitempty"`
	Beta2    float64 `json:"beta2" yaml:"beta2,omitempty"`
	// Metric is 1/f (amplitudes of spatial frequency f are moved as if they weighed f) |
	// natural (the same, and differences between colour channels weigh twice) | pixels (all
	// alike).
	Metric string `json:"metric,omitempty" yaml:"metric,omitempty"`
	Memory int    `json:"memory,omitempty" yaml:"memory,omitempty"` // pairs of steps and gradients kept per image
}

// Penalty is an image regulariser added to the inversion loss.
type Penalty struct {
	Name   string  `json:"name"`   // tv (mean total variation) | grey (mean squared distance to 0.5)
	Weight float64 `json:"weight"` // > 0
}

// Start says what image the synthesis begins from.
type Start struct {
	Kind   string  `json:"kind"` // noise N(Mean,Std) clamped | grey: the same, Std .001 | uniform [0,1) | reference | image
	Mean   float64 `json:"mean"`
	Std    float64 `json:"std"`
	Image  string  `json:"image,omitempty"`  // file name of a given image
	SHA256 string  `json:"sha256,omitempty"` // of its pixels
}

// WarmUp is a synthesis that begins at another stage, or in another precision: the first
// evaluations lower the loss there, the others go on from those images. What they learn of
// the references at another stage is more than the recipe's asks for, as with a start near
// the reference.
type WarmUp struct {
	Stage       string `json:"stage"`               // or a layer; with a precision, default the recipe's
	Evaluations int    `json:"evaluations"`         // of the recipe's
	Precision   string `json:"precision,omitempty"` // of the members then; "": the recipe's
}

// Stop holds the criteria beside the number of steps. An image that meets one
// keeps its pixels from then on; its batch-mates go on.
type Stop struct {
	Loss     float64 `json:"loss"`     // stop an image when every member's loss is at most this; 0: never
	Patience int     `json:"patience"` // stop an image after this many steps without 0.1 % progress; 0: never
}

// Recipe is everything that determines a run. Its zero value, with models, a stage and
// images, makes metamers by DefaultOptimizer; Paper has the paper's procedure.
type Recipe struct {
	Models []ModelRef `json:"models"`
	Stage  string     `json:"stage"`
	// Against, if set, are models that the metamers are to differ for.
	Against *Against `json:"against,omitempty"`
	// Variants, if set, asks for several metamers of each reference that differ from each other.
	Variants *Variants `json:"variants,omitempty"`
	Images   ImageRef  `json:"images"`
	// Steps: default 1000. With the schedule average each is an evaluation of every
	// member's gradient (see Evaluations); with the optimiser fast it is the number of
	// evaluations, default 400, and 1000 where the match is held at a level (Held).
	Steps     int       `json:"steps"`
	Schedule  Schedule  `json:"schedule"`
	Optimizer Optimizer `json:"optimizer"`
	Loss      string    `json:"loss"` // default relative-l2
	Penalties []Penalty `json:"penalties,omitempty"`
	Start     Start     `json:"start"`
	WarmUp    *WarmUp   `json:"warm,omitempty"` // for optimisers that can begin at another stage
	// Round is the number of steps behind Steps in which the images have 8 bits a channel,
	// as in a PNG file, and their pixels move by whole levels; each evaluates every member.
	Round     int     `json:"round,omitempty"`
	Stop      Stop    `json:"stop"`
	PlainReLU bool    `json:"plainReLU"`           // no gradient through dead units of the tapped ReLU
	Precision string  `json:"precision,omitempty"` // of the members: "" (float32) | bfloat16 (their matrices and kernels) | mixed (their activations in synthesis too)
	Batch     int     `json:"batch"`               // images in one executable; default 16; AutoBatch
	Seed      uint64  `json:"seed"`
	Null      NullRef `json:"null,omitzero"` // of the match statistics; its default is DefaultNull
	// NullPairs is set in recipes made before there were null sets: their null is of so
	// many random pairs of the run's own references.
	NullPairs int               `json:"nullPairs,omitempty"`
	Backend   string            `json:"backend"` // xla | cuda | go: last bits differ between them
	Versions  map[string]string `json:"versions,omitempty"`
}

// AutoBatch in place of a recipe's batch has the engine choose one that fills the device
// and fits its memory, in batches of equal size; the recipe of the run names it.
const AutoBatch = -1

// ParseBatch reads a number of images or "auto".
func ParseBatch(text string) (int, error) {
	if text == "auto" {
		return AutoBatch, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("batch %q: expected a number of images above 0, or auto", text)
	}
	return n, nil
}

// WithDefaults returns r with every zero setting replaced by its default.
func (r Recipe) WithDefaults() Recipe {
	def(&r.Optimizer.Name, DefaultOptimizer)
	solver := r.solver()
	if r.Variants != nil {
		r.Variants = r.Variants.withDefaults()
	}
	if !r.Held() {
		def(&r.Steps, solver.Steps)
	}
	def(&r.Steps, 1000)
	if r.Against != nil {
		r.Against = r.Against.withDefaults(r)
	}
	if r.Held() {
		if slices.Contains(solver.Schedules, Average) {
			def(&r.Schedule.Kind, Average)
		}
	}
	if len(solver.Schedules) > 0 {
		def(&r.Schedule.Kind, solver.Schedules[0])
	}
	if r.Schedule.Kind == Switch {
		def(&r.Schedule.Every, solver.Every)
		def(&r.Schedule.Every, 10)
		def(&r.Schedule.Order, "given")
	}
	r.Optimizer = solver.withDefaults(r.Optimizer)
	def(&r.Loss, Losses[0])
	r.Start = r.Start.withDefaults()
	if r.Precision == "float32" {
		r.Precision = ""
	}
	if r.WarmUp != nil && r.WarmUp.Precision != "" {
		w := *r.WarmUp
		def(&w.Stage, r.Stage)
		r.WarmUp = &w
	}
	def(&r.Batch, 16)
	r.Batch = r.Variants.Whole(r.Batch)
	if r.NullPairs == 0 {
		def(&r.Null.Name, DefaultNull)
	}
	return r
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Validate reports the first setting that cannot be carried out. Call it on a
// recipe with defaults.
func (r Recipe) Validate() error {
	if err := r.validate(); err != nil {
		return fmt.Errorf("recipe: %w", err)
	}
	return nil
}

func (r Recipe) validate() error {
	if len(r.Models) == 0 {
		return fmt.Errorf("no model given")
	}
	seen := map[string]bool{}
	for _, m := range r.Models {
		if seen[m.Name] {
			return fmt.Errorf("model %s is in the set twice", m.Name)
		}
		seen[m.Name] = true
	}
	o := r.Optimizer
	solver, known := SolverOf(o.Name)
	if !known && len(solvers) > 0 {
		return Unknown("optimiser", o.Name, Optimizers())
	}
	if known {
		if err := solver.refuses(r); err != nil {
			return err
		}
	}
	if o.Memory < 0 || o.Memory > 100 {
		return fmt.Errorf("the optimiser's memory is %d pairs, expected 1 to 100", o.Memory)
	}
	open := !known || len(solver.Schedules) == 0 // the schedule is chosen later
	for _, c := range []struct {
		what, name string
		known      []string
		open       bool // "" is allowed
	}{
		{"metric", o.Metric, Metrics, true},
		{"schedule", r.Schedule.Kind, Schedules, open},
		{"loss", r.Loss, Losses, false},
		{"start", r.Start.Kind, Starts, false},
		{"precision", r.Precision, Precisions, true},
	} {
		if c.name == "" && c.open {
			continue
		}
		if err := check(c.what, c.name, c.known); err != nil {
			return err
		}
	}
	if r.WarmUp != nil && r.WarmUp.Precision != "" {
		if err := check("precision", r.WarmUp.Precision, Precisions); err != nil {
			return fmt.Errorf("of the first evaluations: %w", err)
		}
	}
	if r.Schedule.Kind == Switch {
		if err := check("order", r.Schedule.Order, orders); err != nil {
			return err
		}
	}
	for _, p := range r.Penalties {
		if err := check("penalty", p.Name, Penalties); err != nil {
			return err
		}
		if !(p.Weight > 0) || math.IsInf(p.Weight, 0) {
			return fmt.Errorf("penalty %s has weight %v, expected a finite number above 0", p.Name, p.Weight)
		}
	}
	if r.Round > 0 && r.Stop != (Stop{}) {
		return fmt.Errorf("%d steps on rounded images and a stop criterion: expected one of them", r.Round)
	}
	for _, err := range []error{r.Against.validate(r), r.Variants.validate(r), r.validateHeld()} {
		if err != nil {
			return err
		}
	}
	if w := r.WarmUp; w != nil {
		switch {
		case w.Stage == "" || w.Stage == r.Stage && (w.Precision == "" || w.Precision == cmp.Or(r.Precision, "float32")):
			return fmt.Errorf("the synthesis begins at the stage %q, expected another than its own, %q, or another precision", w.Stage, r.Stage)
		case w.Evaluations < r.Evaluations(1) || w.Evaluations > r.Evaluations(r.Steps-1):
			return fmt.Errorf("%d evaluations at the stage %s, expected %d to %d of %d", w.Evaluations, w.Stage, r.Evaluations(1), r.Evaluations(r.Steps-1), r.Evaluations(r.Steps))
		}
	}
	for _, n := range []struct {
		what      string
		got, from float64
	}{
		{"steps", float64(r.Steps), 1}, {"batch", float64(max(r.Batch, b2i(r.Batch == AutoBatch))), 1}, {"images", float64(r.Images.Count), 1},
		{"switch interval", float64(max(r.Schedule.Every, b2i(r.Schedule.Kind != Switch))), 1},
		{"round", float64(r.Round), 0}, {"stop loss", r.Stop.Loss, 0}, {"stop patience", float64(r.Stop.Patience), 0},
		{"halvings", float64(r.Optimizer.Halvings), 0}, {"start standard deviation", r.Start.Std, 0},
	} {
		if !(n.got >= n.from) {
			return fmt.Errorf("%s is %v, expected at least %v", n.what, n.got, n.from)
		}
	}
	if solver.Defaults.StepSize > 0 && !(o.StepSize > 0) || math.IsInf(o.StepSize, 0) {
		return fmt.Errorf("step size is %v, expected a finite number above 0", o.StepSize)
	} else if o.Momentum < 0 || o.Momentum >= 1 || o.Beta2 < 0 || o.Beta2 >= 1 {
		return fmt.Errorf("momentum %v and beta2 %v must be in [0,1)", o.Momentum, o.Beta2)
	}
	return nil
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// AllSteps is the number of steps with those of Round.
func (r Recipe) AllSteps() int { return r.Steps + r.Round }

// Evaluations is how often a number of steps evaluates the gradient of one model:
// the unit in which optimisers and schedules are compared.
func (r Recipe) Evaluations(steps int) int {
	if r.Round > 0 && steps > r.Steps {
		return r.Evaluations(r.Steps) + (steps-r.Steps)*len(r.Models)
	}
	if r.Schedule.Kind == Average {
		return steps * len(r.Tapped())
	}
	return steps
}

// String says it for people.
func (w WarmUp) String() string {
	s := fmt.Sprintf("%d evaluations at %s", w.Evaluations, w.Stage)
	if w.Precision != "" {
		s += " in " + w.Precision
	}
	return s
}

// WarmUpSteps is the number of steps at the stage of WarmUp.
func (r Recipe) WarmUpSteps() int {
	if r.WarmUp == nil {
		return 0
	}
	return r.WarmUp.Evaluations / r.Evaluations(1)
}

// ID names the run: the first 16 hexadecimal digits of the SHA-256 of the
// recipe's JSON. Equal recipes, weights, images and versions have equal IDs.
func (r Recipe) ID() string {
	b, err := json.Marshal(r)
	if err != nil {
		panic("metamer: " + err.Error()) // NaN or Inf: Validate refuses them first
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// ModelNames lists the members in order.
func (r Recipe) ModelNames() []string {
	return names(r.Models)
}
