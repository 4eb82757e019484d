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
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/figures"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// Plan says what an experiment is made of, as api.Plan, and carries it out.
type Plan api.Plan

// Settings, ModelSets, Sweep, Slurm and Kubernetes are parts of a plan.
type (
	Settings   = api.Settings
	ModelSets  = api.ModelSets
	Sweep      = api.Sweep
	Slurm      = api.Slurm
	Kubernetes = api.Kubernetes
)

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
	if p.Settings.Null, err = metamer.NullName("", p.Settings.Null); err != nil {
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
	if err := checkKeys(data, reflect.TypeOf(v)); err != nil {
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
		p.Images = images.Default(p.Size)
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
	if p.Distortions < 0 {
		return fmt.Errorf("distortions: %d, expected the number of reference images whose distortions are computed, or 0 for none", p.Distortions)
	}
	if err := p.Sweep.Validate(); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	if err := p.Settings.Check(); err != nil {
		return err
	}
	if err := p.validatePairs(); err != nil {
		return err
	}
	recipes := []metamer.Recipe{}
	for _, set := range p.Sets {
		recipes = append(recipes, p.Recipe(set, p.Stages[0]))
	}
	if p.Pairs {
		recipes = append(recipes, p.Recipe(p.Sets[0], p.Stages[0], "each other set"))
	}
	for _, r := range recipes {
		r.Images.Count = 1 // images are not opened yet: any number passes
		if err := r.Validate(); err != nil {
			return fmt.Errorf("settings: %w", err)
		}
	}
	return nil
}

// Recipe is the plan's recipe for a model set at a stage, with defaults; in a plan with pairs,
// against other models where these are given.
func (p Plan) Recipe(set []string, stage string, against ...string) metamer.Recipe {
	s := p.Settings
	if p.Pairs {
		s.Against = p.opposed(against)
	}
	r := metamer.Recipe{
		Stage: stage, Steps: s.Steps, Schedule: s.Schedule, Loss: s.Loss, Batch: int(s.Batch), Seed: s.Seed, PlainReLU: s.PlainReLU, Precision: s.Precision,
		Optimizer: s.Optimizer,
		Start:     metamer.Start{Kind: s.Start}, WarmUp: s.WarmUp, Round: s.Round, Against: s.Against, Variants: s.Variants, Null: metamer.NullRef{Name: s.Null},
	}
	for _, m := range set {
		r.Models = append(r.Models, metamer.ModelRef{Name: m})
	}
	if s.Paper {
		r = r.Paper()
	}
	return r.WithDefaults()
}

// Describe names what results depend on: optimiser, steps, start and loss.
func (p Plan) Describe() string {
	r := p.Recipe(p.Sets[0], p.Stages[0])
	return r.Describe()
}
