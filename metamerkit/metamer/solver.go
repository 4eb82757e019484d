package metamer

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Solver describes an optimiser to everything that is no graph: recipes, flags,
// completion, captions and forecasts. Package synth has one file for each optimiser,
// with this description and the step as a graph, and registers it here. A program that
// does not import synth knows no optimisers: there WithDefaults leaves their settings
// open and Validate passes them, for the engine fills them in and validates again.
type Solver struct {
	Name  string
	About string // what it is, in a few words

	// Defaults holds the default of each setting that the optimiser has. It refuses a
	// value for any other setting.
	Defaults Optimizer
	// Units says what each of these settings is, with its unit, by its key in recipes and
	// plans, such as stepSize.
	Units map[string]string
	// Schedules are those it can follow, its default first; it costs one gradient
	// evaluation of each member that is active at a step. Empty: it chooses one itself.
	Schedules []string
	Every     int // default interval of the schedule switch; 0: 10
	Steps     int // default number of steps; 0: 1000

	// Choices are the optimisers that it chooses among when the models are open. Its steps
	// are numbers of gradient evaluations. Empty: it takes steps itself.
	Choices []string
	// Smooth says that it lowers the squared residual, one-sided at a ReLU, rather than
	// the loss with a gradient that passes the ReLU unchanged.
	Smooth bool
	// Shrinks says that its steps shrink towards the end of a run, so that an image can
	// come to rest where its loss could still fall.
	Shrinks bool
	// WarmsUp says that it can begin at another stage (Recipe.WarmUp).
	WarmsUp bool
	// Arrays is the number of arrays of an image's size that its step holds, where they
	// count beside the model's activations.
	Arrays func(o Optimizer) int

	// Refuse, if set, returns an error for a recipe that the solver cannot carry out.
	Refuse func(r Recipe) error
	// Caption lists the settings as Table 4 shows them, Sentence tells them in a sentence.
	Caption  func(o Optimizer) []Setting
	Sentence func(o Optimizer) string
}

// Setting is a setting and its value, as a table shows them.
type Setting struct{ Name, Value string }

var solvers = map[string]Solver{}

// Register adds an optimiser. It panics if the name is taken.
func Register(s Solver) {
	if _, ok := solvers[s.Name]; ok || s.Name == "" {
		panic(fmt.Sprintf("metamer: the optimiser %q is registered twice or has no name", s.Name))
	}
	solvers[s.Name] = s
}

// SolverOf returns the description of an optimiser, and whether there is one.
func SolverOf(name string) (Solver, bool) {
	s, ok := solvers[name]
	return s, ok
}

// Solvers lists the optimisers of this program by name.
func Solvers() (out []Solver) {
	for _, s := range solvers {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Solver) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Optimizers are the names of the optimisers of this program.
func Optimizers() (names []string) {
	for _, s := range Solvers() {
		names = append(names, s.Name)
	}
	return names
}

// solver is the description of the recipe's optimiser; it is empty for one that this
// program does not know.
func (r Recipe) solver() Solver { return solvers[r.Optimizer.Name] }

// Choices are the optimisers of which the recipe's chooses one when the models are open;
// nil if it takes steps itself.
func (r Recipe) Choices() []string { return r.solver().Choices }

// Chosen replaces an optimiser that chooses by the one that it chose, and its number of
// evaluations by as many steps.
func (r Recipe) Chosen(name string) Recipe {
	r.Optimizer.Name = name
	r = r.WithDefaults()
	r.Steps = max(1, r.Steps/r.Evaluations(1))
	return r
}

// withDefaults sets the optimiser's settings that are unset.
func (s Solver) withDefaults(o Optimizer) Optimizer {
	def(&o.StepSize, s.Defaults.StepSize)
	def(&o.Halvings, s.Defaults.Halvings)
	def(&o.Momentum, s.Defaults.Momentum)
	def(&o.Beta2, s.Defaults.Beta2)
	def(&o.Metric, s.Defaults.Metric)
	def(&o.Memory, s.Defaults.Memory)
	return o
}

// refuses returns an error for a recipe that the solver cannot carry out.
func (s Solver) refuses(r Recipe) error {
	if s.Refuse != nil {
		if err := s.Refuse(r); err != nil {
			return err
		}
	}
	has, given := s.Defaults.fields(), r.Optimizer.fields()
	for _, key := range SettingKeys {
		if given[key] != nil && has[key] == nil {
			return fmt.Errorf("the optimiser %s has no %s, expected none", s.Name, key)
		}
	}
	if len(s.Schedules) > 0 && slices.Contains(Schedules, r.Schedule.Kind) && !slices.Contains(s.Schedules, r.Schedule.Kind) {
		return fmt.Errorf("the optimiser %s cannot follow the schedule %s, expected %s", s.Name, r.Schedule.Kind, strings.Join(s.Schedules, " or "))
	}
	if r.WarmUp != nil && !s.WarmsUp {
		var able []string
		for _, o := range Solvers() {
			if o.WarmsUp {
				able = append(able, o.Name)
			}
		}
		return fmt.Errorf("the optimiser %s cannot begin at another stage, expected %s", s.Name, strings.Join(able, " or "))
	}
	return nil
}

// SettingKeys are the settings of an optimiser beside its name, as recipes and plans
// spell them. A flag has the same name in its own spelling: --step-size.
var SettingKeys = []string{"stepSize", "halvings", "momentum", "beta2", "metric", "memory"}

// fields are the settings that are not zero, by key.
func (o Optimizer) fields() map[string]any {
	text, err := json.Marshal(o)
	if err != nil {
		return map[string]any{} // NaN or Inf: Validate reports it
	}
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		panic("metamer: " + err.Error()) // it was just written
	}
	return shed(all)
}

// SettingHelp says what a setting is for each optimiser that has it, with its unit and
// default, by its key in recipes and plans: the text of a flag.
func SettingHelp(key string) string {
	var texts []string
	of := map[string][]string{}
	for _, s := range Solvers() {
		unit, ok := s.Units[key]
		if !ok {
			continue
		}
		text := fmt.Sprintf("%s (default %v)", unit, s.Defaults.fields()[key])
		if of[text] == nil {
			texts = append(texts, text)
		}
		of[text] = append(of[text], s.Name)
	}
	for i, text := range texts {
		texts[i] = strings.Join(of[text], ", ") + ": " + text
	}
	return strings.Join(texts, "; ")
}

// MetricText says what the metric of an optimiser weighs.
func MetricText(name string) string {
	switch name {
	case "natural":
		return "spatial frequencies weighted by 1/f, colour differences by 1/2"
	case "1/f":
		return "spatial frequencies weighted by 1/f"
	}
	return "pixels"
}
