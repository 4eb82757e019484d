package people

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// The tasks of participants. The empty name is recognition.
const (
	Recognition   = "recognition"    // one image: what is it?
	SameDifferent = "same-different" // the reference, then an image: the same or different?
	MoreNatural   = "more-natural"   // two images side by side: which looks more natural?
)

// Tasks lists them.
var Tasks = []string{Recognition, SameDifferent, MoreNatural}

// Kind is the task by its name.
func (d *Design) Kind() string {
	if d.Task == "" {
		return Recognition
	}
	return d.Task
}

// The images beside which the metamers of a run are shown in the task more-natural.
const (
	PairReference = "reference" // the metamer's reference
	PairAll       = "all"       // the reference, and metamers of every other run for it
)

// Plan is what a design file says (--design FILE): the task and what belongs to it.
type Plan struct {
	Task     string `yaml:"task"`
	Question string `yaml:"question"` // what stands above the choices
	// Pairs of more-natural: PairReference (default) or PairAll.
	Pairs string `yaml:"pairs"`
	// GapFrames is the pause between the two images of same-different, default 30. It is a
	// whole number; the decoder would round a fraction of an int without a word.
	GapFrames *float64 `yaml:"gapFrames"`
}

// ReadPlan reads a design file.
func ReadPlan(path string) (p Plan, err error) {
	data, err := paths.ReadText(path)
	if err != nil {
		return p, fmt.Errorf("experiment: %w", err)
	}
	if err := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict()).Decode(&p); err != nil {
		return p, fmt.Errorf("experiment: %s: %w; expected the keys task, question, pairs, gapFrames", path, err)
	}
	if err := p.validate(); err != nil {
		return p, fmt.Errorf("experiment: %s: %w", path, err)
	}
	return p, nil
}

func (p Plan) validate() error {
	switch {
	case !slices.Contains(Tasks, p.Task):
		return metamer.Unknown("task", p.Task, Tasks)
	case p.Pairs != "" && p.Task != MoreNatural:
		return fmt.Errorf("pairs goes with the task %s, and the task is %s", MoreNatural, p.Task)
	case p.Pairs != "" && p.Pairs != PairReference && p.Pairs != PairAll:
		return metamer.Unknown("pairs", p.Pairs, []string{PairReference, PairAll})
	case p.GapFrames != nil && p.Task != SameDifferent:
		return fmt.Errorf("gapFrames goes with the task %s, and the task is %s", SameDifferent, p.Task)
	case p.GapFrames != nil && !(*p.GapFrames >= 1 && *p.GapFrames <= 6000 && *p.GapFrames == math.Trunc(*p.GapFrames)):
		return fmt.Errorf("gapFrames is %v, expected a whole number from 1 to 6000", *p.GapFrames)
	case strings.ContainsAny(p.Question, "\r\n"):
		return fmt.Errorf("question has a line break, expected one line")
	}
	return nil
}

// Apply sets the task of a design.
func (p Plan) Apply(d *Design) {
	d.Question = p.Question
	switch p.Task {
	case Recognition:
		return
	case SameDifferent:
		d.Times.Gap = 30
		if p.GapFrames != nil {
			d.Times.Gap = int(*p.GapFrames)
		}
	case MoreNatural:
		d.Pairs = PairReference
		if p.Pairs != "" {
			d.Pairs = p.Pairs
		}
	}
	d.Task = p.Task
}

// Answers that the tasks with two images have, in the order of their choices.
const (
	Same, Different = 0, 1
	OnLeft, OnRight = 0, 1
)

// taskChoices are the choices of a task with two images.
func taskChoices(task string) []Choice {
	if task == SameDifferent {
		return []Choice{{"same", "s"}, {"different", "d"}}
	}
	return []Choice{{"left", "f"}, {"right", "j"}}
}

// Ask is the question that stands above the choices.
func (d *Design) Ask() string {
	if d.Question != "" {
		return d.Question
	}
	switch d.Task {
	case SameDifferent:
		return "Were the two images the same?"
	case MoreNatural:
		return "Which image looked more natural?"
	}
	return "What did you see?"
}
