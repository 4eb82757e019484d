// Package study runs experiments from a plan file: synthesis and evaluation of model
// sets × stages on one image set, figures, tables, claims and a page. It links
// no GoMLX; an api.Engine does the work.
package study

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/ensemble-metamers/metamers/metamerkit/figures"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// Plan says what an experiment is made of. Its zero value with Sets is a plan.
type Plan struct {
	Name   string              `yaml:"name"`
	About  string              `yaml:"about,omitempty"`  // what it is, in a sentence
	Images string              `yaml:"images"`           // an image set, such as photos:16 (default), cifar10:64 or a folder
	Size   int                 `yaml:"size"`             // pixels a side of files; 0: the set's own default
	Groups map[string][]string `yaml:"groups,omitempty"` // model sets that have a name, which Sets may use and figures show
	Sets   ModelSets           `yaml:"sets"`             // model names or patterns, or one name of a group
	Stages []string            `yaml:"stages"`           // default early, middle, late

	Settings Settings `yaml:"settings"`

	Observers []string `yaml:"observers,omitempty"` // default: every model that is here and knows the same classes
	Measures  []string `yaml:"measures,omitempty"`  // default: all
	Bootstrap int      `yaml:"bootstrap,omitempty"` // resamples for intervals; 0: the evaluation's default
	Examples  []int    `yaml:"examples,omitempty"`  // images shown in the gallery; default the first four

	bare []string // names of groups that Sets had without "group:"

	Sweep Sweep `yaml:"sweep,omitempty"` // how the work is split and where it is done
}

// Settings are those of a recipe, as a plan writes them; zero values are the
// recipe's defaults.
type Settings struct {
	// Paper is the paper's procedure, projected gradient descent with 5000 steps, for what
	// the other settings leave open. A plan may say settings: paper.
	Paper     bool      `yaml:"paper,omitempty"`
	Steps     int       `yaml:"steps,omitempty"`
	Schedule  schedule  `yaml:"schedule,omitempty"`
	Optimizer optimizer `yaml:"optimizer,omitempty"`
	Loss      string    `yaml:"loss,omitempty"`
	Start     string    `yaml:"start,omitempty"`
	Warm      *warm     `yaml:"warm,omitempty"`  // stage, evaluations
	Batch     batch     `yaml:"batch,omitempty"` // a number or auto
	Seed      uint64    `yaml:"seed,omitempty"`
	PlainReLU bool      `yaml:"plainReLU,omitempty"`
	Precision string    `yaml:"precision,omitempty"` // float32 (default), bfloat16 or mixed
	Null      string    `yaml:"nullSet,omitempty"`   // of the match statistics: photos:64 (default), cifar10:1000, a folder, none
}

// optimizer, schedule and warm are written as on the command line, such as "fast",
// "switch:10" and "middle:40", or by their fields.
type (
	schedule metamer.Schedule
	warm     metamer.Warm
)

// UnmarshalYAML reads the word paper or fields.
func (s *Settings) UnmarshalYAML(unmarshal func(any) error) error {
	var text string
	if unmarshal(&text) == nil {
		if text != "paper" {
			return fmt.Errorf("settings %q: expected paper or settings by name, such as {steps: 200}", text)
		}
		s.Paper = true
		return nil
	}
	type fields Settings
	return unmarshal((*fields)(s))
}

// UnmarshalYAML reads a name or fields.
func (o *optimizer) UnmarshalYAML(unmarshal func(any) error) error {
	if unmarshal(&o.Name) == nil {
		return nil
	}
	type fields optimizer
	return unmarshal((*fields)(o))
}

// UnmarshalYAML reads KIND[:EVERY[:ORDER]] or fields.
func (s *schedule) UnmarshalYAML(unmarshal func(any) error) error {
	var text string
	if unmarshal(&text) == nil {
		v, err := metamer.ParseSchedule(text)
		*s = schedule(v)
		return err
	}
	return unmarshal((*metamer.Schedule)(s))
}

// UnmarshalYAML reads STAGE:EVALUATIONS[:PRECISION] or fields.
func (w *warm) UnmarshalYAML(unmarshal func(any) error) error {
	var text string
	if unmarshal(&text) == nil {
		v, err := metamer.ParseWarm(text)
		if v != nil {
			*w = warm(*v)
		}
		return err
	}
	return unmarshal((*metamer.Warm)(w))
}

// optimizer is metamer.Optimizer with the names of a plan.
type optimizer struct {
	Name     string  `yaml:"name"`
	StepSize float64 `yaml:"stepSize,omitempty"`
	Halvings int     `yaml:"halvings,omitempty"`
	Momentum float64 `yaml:"momentum,omitempty"`
	Beta2    float64 `yaml:"beta2,omitempty"`
	Metric   string  `yaml:"metric,omitempty"`
	Memory   int     `yaml:"memory,omitempty"`
}

//go:embed plans/*.yaml
var plans embed.FS

// Names lists the plans that come with the program.
func Names() []string {
	entries, err := plans.ReadDir("plans")
	if err != nil {
		panic("study: " + err.Error()) // the folder is embedded
	}
	var out []string
	for _, e := range entries {
		out = append(out, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return out
}

// Load reads a plan: one of Names (or "plan:" and the name, where a file is called so too), or
// a YAML file. Unknown fields and impossible values are errors that show the line.
func Load(name string) (Plan, error) {
	name, isName, err := metamer.NameOrPath("plan", name, func(n string) bool { return slices.Contains(Names(), n) })
	if err != nil {
		return Plan{}, fmt.Errorf("study: %w", err)
	}
	var data []byte
	if isName {
		data, err = plans.ReadFile("plans/" + name + ".yaml")
	} else {
		if data, err = paths.ReadText(name); err != nil {
			if !strings.ContainsAny(name, "./\\") {
				return Plan{}, fmt.Errorf("study: %w", metamer.Unknown("plan", name, Names()))
			}
			return Plan{}, fmt.Errorf("study: plan: %w (or one of %s)", err, strings.Join(Names(), ", "))
		}
	}
	if err != nil {
		return Plan{}, fmt.Errorf("study: plan %s: %w", name, err)
	}
	p, err := Parse(data)
	if err != nil {
		return p, fmt.Errorf("study: plan %s: %w", name, err)
	}
	if p.Settings.Null, err = metamer.NullName(p.Settings.Null); err != nil {
		return p, fmt.Errorf("study: plan %s: null set: %w", name, err)
	}
	return p, nil
}

// Decode reads a YAML file of one document into v. Unknown fields, fields that are there
// twice and further documents are errors.
func Decode(data []byte, v any) (err error) {
	const most = 1 << 20
	if len(data) > most {
		return fmt.Errorf("%d bytes, expected at most %d", len(data), most)
	}
	defer func() { // the parser is not hardened against every input
		if r := recover(); r != nil {
			err = fmt.Errorf("it cannot be read as YAML: %v", r)
		}
	}()
	data = bytes.TrimPrefix(data, []byte(paths.BOM))
	if err := checkKeys(data); err != nil {
		return err
	}
	d := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict())
	switch err := d.Decode(v); {
	case err == io.EOF:
		return fmt.Errorf("it is empty")
	case err != nil:
		return err
	}
	if err := d.Decode(new(any)); err != io.EOF {
		return fmt.Errorf("the file has a second document after ---; expected one")
	}
	return nil
}

// Parse reads a plan's YAML.
func Parse(data []byte) (p Plan, err error) {
	if err := Decode(data, &p); err != nil {
		if t := (*yaml.TypeError)(nil); errors.As(err, &t) && t.StructFieldName != nil && *t.StructFieldName == "Plan.Images" {
			return p, fmt.Errorf("line %d: images must be one line, expected a set, a folder or files separated by spaces, such as images: a.jpg b.jpg", t.Token.Position.Line)
		}
		return p, err
	}
	p = p.WithDefaults()
	if err := p.grouped(); err != nil {
		return p, err
	}
	return p, p.Validate()
}

// WithDefaults returns p with its zero values filled in.
func (p Plan) WithDefaults() Plan {
	if p.Name == "" {
		p.Name = "study"
	}
	if p.Images == "" {
		p.Images = "photos:16"
	}
	if p.Stages == nil {
		p.Stages = slices.Clone(metamer.Stages)
	}
	return p
}

// Repeated returns the first element that is in a list twice.
func Repeated[T comparable](list []T) (twice T, ok bool) {
	for i, v := range list {
		if slices.Contains(list[:i], v) {
			return v, true
		}
	}
	return twice, false
}

// Validate reports the first thing that cannot be carried out.
func (p Plan) Validate() error {
	if len(p.Sets) == 0 {
		return fmt.Errorf("sets: none given, expected lists of model names such as [[resnet20], [resnet20, resnet56]]")
	}
	seen := map[string]bool{}
	for i, set := range p.Sets {
		name := figures.SetName(set)
		if len(set) == 0 {
			return fmt.Errorf("sets: set %d is empty, expected names of models", i+1)
		}
		if seen[name] {
			return fmt.Errorf("sets: set %d (%s) appears twice", i+1, name)
		}
		seen[name] = true
	}
	if len(p.Stages) == 0 {
		return fmt.Errorf("stages: none given")
	}
	if s, ok := Repeated(p.Stages); ok {
		return fmt.Errorf("stages: %s appears twice", s)
	}
	if s, ok := Repeated(p.Observers); ok {
		return fmt.Errorf("observers: %s appears twice", s)
	}
	if p.Bootstrap < 0 || p.Size < 0 {
		return fmt.Errorf("bootstrap %d and size %d: expected no negative numbers", p.Bootstrap, p.Size)
	}
	if err := p.Sweep.validate(); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	if err := p.Settings.Check(); err != nil {
		return err
	}
	for _, set := range p.Sets {
		// Images are not opened yet: any number passes.
		r := p.Recipe(set, p.Stages[0])
		r.Images.Count = 1
		if err := r.Validate(); err != nil {
			return fmt.Errorf("settings: %w", err)
		}
	}
	return nil
}

// Recipe is the plan's recipe for a model set at a stage, with defaults.
func (p Plan) Recipe(set []string, stage string) metamer.Recipe {
	s := p.Settings
	r := metamer.Recipe{
		Stage: stage, Steps: s.Steps, Schedule: metamer.Schedule(s.Schedule), Loss: s.Loss, Batch: int(s.Batch), Seed: s.Seed, PlainReLU: s.PlainReLU, Precision: s.Precision,
		Optimizer: metamer.Optimizer{Name: s.Optimizer.Name, StepSize: s.Optimizer.StepSize, Halvings: s.Optimizer.Halvings, Momentum: s.Optimizer.Momentum, Beta2: s.Optimizer.Beta2, Metric: s.Optimizer.Metric, Memory: s.Optimizer.Memory},
		Start:     metamer.Start{Kind: s.Start}, Warm: (*metamer.Warm)(s.Warm), Null: metamer.NullRef{Name: s.Null},
	}
	for _, m := range set {
		r.Models = append(r.Models, metamer.ModelRef{Name: m})
	}
	if s.Paper {
		r = r.Paper()
	}
	return r.WithDefaults()
}

// Check reports settings that contradict each other.
func (s Settings) Check() error {
	if s.Paper {
		if err := metamer.CheckPaper(metamer.Optimizer{Name: s.Optimizer.Name}); err != nil {
			return fmt.Errorf("settings: %w", err)
		}
	}
	return nil
}

// Describe names what results depend on: optimiser, steps, start and loss.
func (p Plan) Describe() string {
	r := p.Recipe(p.Sets[0], p.Stages[0])
	return r.Describe()
}
