package api

import (
	"fmt"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Plan says what an experiment is made of. Its zero value with Sets is a plan.
// Plan files (docs/studies.md) and cells have the same entries.
type Plan struct {
	Name   string              `yaml:"name"`
	About  string              `yaml:"about,omitempty"`  // what it is, in a sentence
	Images string              `yaml:"images"`           // an image set, such as scenes:16 (default; photos:16 at size 32), cifar10:64 or a folder
	Size   int                 `yaml:"size"`             // pixels a side of files; 0: the set's own default
	Groups map[string][]string `yaml:"groups,omitempty"` // model sets that have a name, which Sets may use and figures show
	Sets   ModelSets           `yaml:"sets"`             // model names or patterns, or one name of a group
	Stages []string            `yaml:"stages"`           // default early, middle, late

	Settings Settings `yaml:"settings"`

	Observers []string `yaml:"observers,omitempty"` // default: every model that is here and knows the same classes
	Measures  []string `yaml:"measures,omitempty"`  // default: all
	Pull      bool     `yaml:"pull,omitempty"`      // download missing weights first; sets whose weights cannot be had are left out
	Bootstrap int      `yaml:"bootstrap,omitempty"` // resamples for intervals; 0: the evaluation's default
	Examples  []int    `yaml:"examples,omitempty"`  // images shown in the gallery; default the first four

	// GroupNames are the groups that Sets had without "group:", which reading a plan notes.
	GroupNames []string `yaml:"-" json:"-"`

	Sweep Sweep `yaml:"sweep,omitempty"` // how the work is split and where it is done
}

// Settings are those of a recipe; zero values are the recipe's defaults. Schedule,
// Optimizer and WarmUp are written in plan files as on the command line, such as fast,
// switch:10 and middle:40, or by their fields.
type Settings struct {
	// Paper is the paper's procedure, projected gradient descent with 5000 steps, for what
	// the other settings leave open. A plan may say settings: paper.
	Paper     bool              `yaml:"paper,omitempty"`
	Steps     int               `yaml:"steps,omitempty"`
	Schedule  metamer.Schedule  `yaml:"schedule,omitempty"`
	Optimizer metamer.Optimizer `yaml:"optimizer,omitempty"`
	Loss      string            `yaml:"loss,omitempty"`
	Start     string            `yaml:"start,omitempty"`
	WarmUp    *metamer.WarmUp   `yaml:"warmUp,omitempty"` // stage, evaluations
	Round     int               `yaml:"round,omitempty"`  // steps behind the others on images of 8 bits (Recipe.Round)
	Batch     BatchSize         `yaml:"batch,omitempty"`  // a number or auto
	Seed      uint64            `yaml:"seed,omitempty"`
	PlainReLU bool              `yaml:"plainReLU,omitempty"`
	Precision string            `yaml:"precision,omitempty"` // float32 (default), bfloat16 or mixed
	Null      string            `yaml:"nullSet,omitempty"`   // of the match statistics: photos:64 (default), cifar10:1000, a folder, none
}

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

// Check reports settings that contradict each other.
func (s Settings) Check() error {
	if s.Paper {
		if err := metamer.CheckPaper(metamer.Optimizer{Name: s.Optimizer.Name}); err != nil {
			return fmt.Errorf("settings: %w", err)
		}
	}
	return nil
}

// BatchSize is a number of images, or metamer.AutoBatch, "auto" in a plan.
type BatchSize int

// UnmarshalYAML reads a number or auto.
func (b *BatchSize) UnmarshalYAML(data []byte) error {
	text := strings.TrimSpace(string(data))
	if *b = 0; text == "0" { // the recipe's default
		return nil
	}
	n, err := metamer.ParseBatch(text)
	*b = BatchSize(n)
	return err
}

// MarshalYAML writes what UnmarshalYAML reads.
func (b BatchSize) MarshalYAML() ([]byte, error) {
	if b == metamer.AutoBatch {
		return []byte("auto"), nil
	}
	return fmt.Append(nil, int(b)), nil
}

// ModelSets are lists of model names. In a plan an entry may also be one name: of a
// group, of a model, or a pattern, which then stands for each model alone that it
// fits. In lists a pattern stands for all of them together. A name that is both a model and
// a group is written model:NAME or group:NAME.
//
// A pattern has a * (as path.Match), and may begin with a kind of model: *.mm_c10,
// cnn:*.mm_c10_linf8, transformer:*.
type ModelSets [][]string

// Alone marks an entry of ModelSets that was one name.
const Alone = "alone "

// UnmarshalYAML takes lists and names.
func (s *ModelSets) UnmarshalYAML(unmarshal func(any) error) error {
	var entries []any
	if err := unmarshal(&entries); err != nil {
		return fmt.Errorf("sets: expected a list of model sets: %w", err)
	}
	*s = nil
	for i, e := range entries {
		var set []string
		switch e := e.(type) {
		case string:
			set = []string{Alone + e}
		case []any:
			for _, m := range e {
				name, ok := m.(string)
				if !ok {
					return fmt.Errorf("sets: set %d contains %v, expected model names", i+1, m)
				}
				set = append(set, name)
			}
		default:
			return fmt.Errorf("sets: set %d is %v, expected a list of model names, or a name", i+1, e)
		}
		*s = append(*s, set)
	}
	return nil
}
