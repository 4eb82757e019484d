package api

import (
	"fmt"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Plan describes a study: images, model sets, stages, settings and observers. A plan needs
// Sets; its other fields have defaults. Plan files (docs/studies.md) and cells have the same
// entries.
type Plan struct {
	Name   string              `yaml:"name"`
	About  string              `yaml:"about,omitempty"`  // a description in one sentence
	Images string              `yaml:"images"`           // an image set, such as scenes:16 (default; photos:16 at size 32), cifar10:64 or a folder
	Size   int                 `yaml:"size"`             // pixels a side of files; 0: the set's own default
	Groups map[string][]string `yaml:"groups,omitempty"` // model sets that have a name, which Sets may use and figures show
	Sets   ModelSets           `yaml:"sets"`             // model names or patterns, or one name of a group
	Stages []string            `yaml:"stages"`           // default early, middle, late

	// Pairs also makes a run of each set against each other set that shares no model with it
	// (docs/against.md), which Figure 8 shows. Settings.Against may then set how, without models.
	Pairs bool `yaml:"pairs,omitempty"`

	// Distortions is the number of reference images, the first of Images, at which the
	// directions of pixels that each set notices most and least at each stage are computed
	// behind the runs (docs/distortions.md); 0: none.
	Distortions int `yaml:"distortions,omitempty"`

	Settings Settings `yaml:"settings"`

	Observers []string `yaml:"observers,omitempty"` // default: every available model with the same classes
	Measures  []string `yaml:"measures,omitempty"`  // default: all
	Pull      bool     `yaml:"pull,omitempty"`      // download missing weights first, and leave out sets whose weights cannot be downloaded
	Bootstrap int      `yaml:"bootstrap,omitempty"` // resamples for intervals; 0: the evaluation's default
	Examples  []int    `yaml:"examples,omitempty"`  // images shown in the gallery; default the first four

	// GroupNames are the groups that Sets names without "group:". Reading a plan sets it.
	GroupNames []string `yaml:"-" json:"-"`

	Sweep Sweep `yaml:"sweep,omitempty"` // how the work is divided, and on which machines it is done
}

// Settings are the settings of a plan's recipes. Zero values are the recipe's defaults. Plan
// files write Schedule, Optimizer and WarmUp as the command line does, such as fast, switch:10
// and middle:40, or by their fields.
type Settings struct {
	// Paper selects the paper's procedure, projected gradient descent with 5000 steps, for all
	// settings that are not given. A plan file may say settings: paper.
	Paper     bool              `yaml:"paper,omitempty"`
	Steps     int               `yaml:"steps,omitempty"`
	Schedule  metamer.Schedule  `yaml:"schedule,omitempty"`
	Optimizer metamer.Optimizer `yaml:"optimizer,omitempty"`
	Loss      string            `yaml:"loss,omitempty"`
	Start     string            `yaml:"start,omitempty"`
	WarmUp    *metamer.WarmUp   `yaml:"warmUp,omitempty"`   // stage, evaluations
	Against   *metamer.Against  `yaml:"against,omitempty"`  // models that the metamers are to differ for (docs/against.md)
	Variants  *metamer.Variants `yaml:"variants,omitempty"` // metamers of each reference that differ from each other
	Round     int               `yaml:"round,omitempty"`    // steps behind the others on images of 8 bits (Recipe.Round)
	Batch     BatchSize         `yaml:"batch,omitempty"`    // a number or auto
	Seed      uint64            `yaml:"seed,omitempty"`
	PlainReLU bool              `yaml:"plainReLU,omitempty"`
	Precision string            `yaml:"precision,omitempty"` // float32 (default), bfloat16 or mixed
	Null      string            `yaml:"nullSet,omitempty"`   // of the match statistics: photos:64 (default), cifar10:1000, a folder, none
}

// UnmarshalYAML reads the word paper, or the fields by name. Any other word is an error.
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

// Check returns an error if Paper is set with an optimiser other than the paper's.
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

// UnmarshalYAML reads a number from 0 or the word auto. Anything else is an error.
func (b *BatchSize) UnmarshalYAML(data []byte) error {
	text := strings.TrimSpace(string(data))
	if *b = 0; text == "0" { // the recipe's default
		return nil
	}
	n, err := metamer.ParseBatch(text)
	*b = BatchSize(n)
	return err
}

// MarshalYAML writes the number or auto. It never fails.
func (b BatchSize) MarshalYAML() ([]byte, error) {
	if b == metamer.AutoBatch {
		return []byte("auto"), nil
	}
	return fmt.Append(nil, int(b)), nil
}

// ModelSets are lists of model names. In a plan an entry may also be one name: a group, a
// model or a pattern. A pattern that is an entry stands for several sets, one for each model
// that it matches; a pattern in a list stands for all models that it matches. A name that is
// both a model and a group is written model:NAME or group:NAME.
//
// A pattern contains a * (as in path.Match), and may begin with a kind of model: *.mm_c10,
// cnn:*.mm_c10_linf8, transformer:*.
type ModelSets [][]string

// Alone is the prefix of a set of ModelSets that was one name in the plan.
const Alone = "alone "

// UnmarshalYAML reads a list whose entries are names or lists of names. Anything else is an
// error that gives the index of the entry.
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
