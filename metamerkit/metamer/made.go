package metamer

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Made says how the metamers behind a row were made, so that rows stand alone: in
// columns what results depend on most, the rest as JSON. All rows of a run share one.
type Made struct {
	Images    string // name of the image set
	Optimizer string
	Steps     int
	Loss      string
	Seed      uint64
	// Settings is the recipe's JSON without models, stage, backend, versions and what
	// is zero. Of metamers made elsewhere it holds their files' names.
	Settings string
	Versions string // what computed them: the backend and versions of software
}

// besides are the parts of a recipe that rows hold in columns of their own.
var besides = []string{"models", "stage", "backend", "versions", "loss", "steps", "seed"}

// Made returns how a run of the recipe is made.
func (r Recipe) Made() *Made {
	text, err := json.Marshal(r)
	if err != nil {
		panic("metamer: " + err.Error()) // NaN or Inf: Validate refuses them first
	}
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		panic("metamer: " + err.Error()) // it was just written
	}
	for _, k := range besides {
		delete(all, k)
	}
	text, err = json.Marshal(shed(all))
	if err != nil {
		panic("metamer: " + err.Error())
	}
	return &Made{Images: r.Images.Name, Optimizer: r.Optimizer.Name, Steps: r.Steps, Loss: r.Loss, Seed: r.Seed, Settings: string(text), Versions: r.Computed()}
}

// shed leaves out what is zero or empty.
func shed(v map[string]any) map[string]any {
	for k, x := range v {
		switch x := x.(type) {
		case map[string]any:
			if len(shed(x)) == 0 {
				delete(v, k)
			}
		case nil:
			delete(v, k)
		case bool:
			if !x {
				delete(v, k)
			}
		case float64:
			if x == 0 {
				delete(v, k)
			}
		case string:
			if x == "" {
				delete(v, k)
			}
		}
	}
	return v
}

// Computed names what computes a recipe's runs: the backend and the versions.
func (r Recipe) Computed() string {
	var parts []string
	for k, v := range r.Versions {
		parts = append(parts, k+" "+v)
	}
	slices.Sort(parts)
	if r.Backend != "" {
		parts = append([]string{"backend " + r.Backend}, parts...)
	}
	return strings.Join(parts, ", ")
}

// Recipe is the recipe as far as rows hold it: all settings, without models, stage
// and versions.
func (m *Made) Recipe() (Recipe, error) {
	var r Recipe
	if m.Settings != "" {
		if err := json.Unmarshal([]byte(m.Settings), &r); err != nil {
			return r, fmt.Errorf("rows: settings %.200q: %w", m.Settings, err)
		}
	}
	r.Images.Name, r.Optimizer.Name, r.Steps, r.Loss, r.Seed = m.Images, m.Optimizer, m.Steps, m.Loss, m.Seed
	if b, _, ok := strings.Cut(strings.TrimPrefix(m.Versions, "backend "), ","); ok || b != m.Versions {
		r.Backend = b
	}
	return r, nil
}

// Against returns the names of the other models of the row's run, nil for a run against none.
func (r Row) Against() []string {
	if r.Made == nil || !strings.Contains(r.Made.Settings, `"against"`) { // most rows
		return nil
	}
	made, err := r.Made.Recipe()
	if err != nil {
		return nil // rows of someone's own
	}
	return made.Against.Names()
}

// Describe names what results depend on: optimiser, steps, start and loss.
func (r Recipe) Describe() string {
	if r.Optimizer.Name == "elsewhere" {
		return "made elsewhere"
	}
	in := r.Opponents()
	if r.Precision != "" {
		in = ", precision " + r.Precision + in
	}
	if c := r.Choices(); c != nil {
		return fmt.Sprintf("%s (%s), metric %s, %d gradient evaluations, start from %s, %s loss%s", r.Optimizer.Name, strings.Join(c, " or "), r.Optimizer.Metric, r.Steps, r.starts(), r.Loss, in)
	}
	return fmt.Sprintf("%s, step size %g, %d steps, %s schedule, start from %s, %s loss%s", r.Optimizer.Name, r.Optimizer.StepSize, r.Steps, r.Schedule.Kind, r.starts(), r.Loss, in)
}

// starts names the start and the stage that the synthesis began at.
func (r Recipe) starts() string {
	if r.WarmUp == nil {
		return r.Start.Kind
	}
	return fmt.Sprintf("%s and %s", r.Start.Kind, r.WarmUp)
}
