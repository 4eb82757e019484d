// Package benchmark compares optimisers, starts and schedules on the same model sets,
// stages, images and seeds, at equal numbers of gradient evaluations. It links no GoMLX; an api.Engine does the work.
package benchmark

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
	"github.com/ensemble-metamers/metamers/metamerkit/study"
)

// Plan says what is held against what. Sets and Methods must be given.
type Plan struct {
	Name        string     `yaml:"name"`
	Images      string     `yaml:"images"` // an image set, default scenes:16, at size 32 photos:16
	Size        int        `yaml:"size"`   // pixels a side of files
	Sets        [][]string `yaml:"sets"`
	Stages      []string   `yaml:"stages"`      // or layers; default middle, late
	Seeds       []uint64   `yaml:"seeds"`       // default 0
	Evaluations int        `yaml:"evaluations"` // of one model's gradient for each image; default 600
	Methods     []Method   `yaml:"methods"`     // the first is the baseline
	Observers   []string   `yaml:"observers"`   // default: every model that is here and knows the same classes
}

// Method is a way to make metamers.
type Method struct {
	Name        string         `yaml:"name"`
	Settings    study.Settings `yaml:"settings"`    // without steps and seed
	Evaluations int            `yaml:"evaluations"` // in place of the plan's
	// AtBaseline stops each image when every member's loss is at most the mean that the
	// baseline ends with, so that images of equal loss can be compared.
	AtBaseline bool `yaml:"at the baseline's loss"`
}

// Load reads a plan from a YAML file.
func Load(path string) (Plan, error) {
	data, err := paths.ReadText(path)
	if err != nil {
		return Plan{}, fmt.Errorf("benchmark: plan: %w", err)
	}
	p, err := Parse(data)
	if err != nil {
		return p, fmt.Errorf("benchmark: plan %s: %w", path, err)
	}
	return p, nil
}

// Parse reads a plan's YAML. Unknown fields and impossible values are errors.
func Parse(data []byte) (p Plan, err error) {
	if err := study.Decode(data, &p); err != nil {
		return p, err
	}
	if p.Images == "" {
		p.Images = images.Default(p.Size)
	}
	if p.Stages == nil {
		p.Stages = []string{"middle", "late"}
	}
	if p.Seeds == nil {
		p.Seeds = []uint64{0}
	}
	if p.Evaluations == 0 {
		p.Evaluations = 600
	}
	return p, p.validate()
}

func (p Plan) validate() error {
	if len(p.Sets) == 0 || len(p.Stages) == 0 || len(p.Seeds) == 0 || len(p.Methods) < 2 {
		return fmt.Errorf("%d sets, %d stages, %d seeds, %d methods: expected at least 1, 1, 1 and 2", len(p.Sets), len(p.Stages), len(p.Seeds), len(p.Methods))
	}
	if s, ok := study.Repeated(p.Stages); ok {
		return fmt.Errorf("stages: %s appears twice", s)
	}
	if s, ok := study.Repeated(p.Seeds); ok {
		return fmt.Errorf("seeds: %d appears twice", s)
	}
	for i, set := range p.Sets {
		if slices.ContainsFunc(p.Sets[:i], func(s []string) bool { return slices.Equal(s, set) }) {
			return fmt.Errorf("sets: %s appears twice", label(set))
		}
	}
	var names []string
	for i, m := range p.Methods {
		if m.Name == "" || slices.Contains(names, m.Name) {
			return fmt.Errorf("methods: the name %q of method %d is empty or appears twice", m.Name, i+1)
		}
		names = append(names, m.Name)
		if err := m.Settings.Check(); err != nil {
			return fmt.Errorf("methods: %s: %w", m.Name, err)
		}
		if m.Settings.Steps != 0 || m.Settings.Seed != 0 {
			return fmt.Errorf("methods: %s sets steps or a seed; expected evaluations and the plan's seeds", m.Name)
		}
		if m.Settings.Variants != nil {
			return fmt.Errorf("methods: %s makes variants, expected methods that lower the members' loss alone", m.Name)
		}
		if m.Settings.Against != nil {
			return fmt.Errorf("methods: %s is against other models, expected methods that lower the members' loss alone", m.Name)
		}
		if i == 0 && m.AtBaseline {
			return fmt.Errorf("methods: %s is the baseline and cannot end at its loss", m.Name)
		}
		if m.Evaluations < 0 || p.Evaluations < 1 {
			return fmt.Errorf("methods: %s has %d evaluations, the plan %d: expected at least 1", m.Name, m.Evaluations, p.Evaluations)
		}
		for _, set := range p.Sets {
			r := p.recipe(m, set, p.Stages[0], 0)
			r.Images.Count = 1 // not opened yet
			if err := r.Validate(); err != nil {
				return fmt.Errorf("methods: %s: %w", m.Name, err)
			}
		}
	}
	return nil
}

// recipe is a method's for a model set at a stage. As many steps are taken as the
// evaluations allow.
func (p Plan) recipe(m Method, set []string, stage string, seed uint64) metamer.Recipe {
	budget := p.Evaluations
	if m.Evaluations > 0 {
		budget = m.Evaluations
	}
	s := m.Settings
	s.Seed = seed
	r := study.Plan{Settings: s}.Recipe(set, stage)
	r.Steps = max(1, budget/r.Evaluations(1))
	return r
}

func label(set []string) string { return strings.Join(set, " + ") }
