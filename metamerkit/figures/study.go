package figures

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Study is what figures and tables are drawn from: rows, and what they speak of.
type Study struct {
	Rows      []metamer.Row
	Sets      [][]string // the model sets by their members' names, in the order to be shown; nil: as in the rows
	Observers []string   // in the order to be shown; nil: as in the rows
	// Cards of the models, by name: how they are grouped and named. A model without a
	// card is in no group.
	Cards map[string]*card.Card
	// Names of model sets that have one, by SetName.
	Names map[string]string
	// Pairs says that rows of runs against other models are of pairs of sets (Parting); the
	// other figures and tables leave them out.
	Pairs bool
	// Settings names optimiser, start and loss: results depend on them, so that every
	// figure does.
	Settings string

	mu      sync.Mutex
	index   map[rowName]int // of Rows, made by find
	indexed *metamer.Row    // the first of the rows that index is of
	length  int
}

// rowName is what a row over all images is found by.
type rowName struct{ measure, set, stage, observer string }

// SetName is the name of a model set in rows.
func SetName(members []string) string { return strings.Join(members, "+") }

// sets returns the model sets that have rows, grouped by kind.
func (s *Study) sets() [][]string {
	sets := s.Sets
	if sets == nil {
		seen := map[string]bool{}
		for _, r := range s.Rows {
			if r.Set != "" && !seen[r.Set] {
				seen[r.Set] = true
				sets = append(sets, strings.Split(r.Set, "+"))
			}
		}
	}
	sets = slices.Clone(sets)
	slices.SortStableFunc(sets, func(a, b []string) int { return s.group(a...).order - s.group(b...).order })
	return sets
}

// observers returns the observers that have rows, grouped by kind.
func (s *Study) observers() []string {
	obs := slices.Clone(s.Observers)
	if obs == nil {
		seen := map[string]bool{"": true}
		for _, r := range s.Rows {
			if !seen[r.Observer] && s.Cards[r.Observer] != nil {
				seen[r.Observer] = true
				obs = append(obs, r.Observer)
			}
		}
	}
	slices.SortStableFunc(obs, func(a, b string) int { return s.group(a).order - s.group(b).order })
	return obs
}

// stages returns early, middle and late, and behind them any layers by name.
func (s *Study) stages() []string {
	var out []string
	for _, want := range metamer.Stages {
		if slices.ContainsFunc(s.Rows, func(r metamer.Row) bool { return r.Stage == want }) {
			out = append(out, want)
		}
	}
	for _, r := range s.Rows {
		if r.Stage != "" && !slices.Contains(out, r.Stage) {
			out = append(out, r.Stage)
		}
	}
	return out
}

// group is a kind of models: training and architecture.
type group struct {
	name  string
	order int
}

// group returns the group that all the models belong to, or a mixed one.
func (s *Study) group(models ...string) group {
	kinds, trainings := map[string]bool{}, map[string]bool{}
	kind, training := "", ""
	for _, m := range models {
		c := s.Cards[m]
		if c == nil {
			return group{"other models", 99}
		}
		kind, training = c.Kind, c.Training
		kinds[kind], trainings[training] = true, true
	}
	nouns := map[string]string{"cnn": "CNNs", "transformer": "transformers"}
	order := slices.Index([]string{"cnn", "transformer"}, kind) * 10
	if len(kinds) > 1 {
		return group{"CNNs with transformers", 20}
	}
	if len(trainings) > 1 {
		return group{nouns[kind] + ", mixed training", order + 9}
	}
	return group{training + " " + nouns[kind], order + slices.Index(card.Trainings, training)}
}

// ofSets says of which kind of model sets a figure is, to follow a noun.
func ofSets(sets [][]string) string {
	single, ensemble := false, false
	for _, set := range sets {
		single, ensemble = single || len(set) == 1, ensemble || len(set) > 1
	}
	switch {
	case single && ensemble:
		return " of single models and of ensembles"
	case single:
		return " of single models"
	}
	return " of ensembles"
}

// Label is a model set's name as figures show it.
func (s *Study) Label(set []string) string {
	if n := s.Names[SetName(set)]; n != "" {
		return n
	}
	return Members(set)
}

// Members are a model set's members as figures and tables show them.
func Members(set []string) string { return strings.Join(set, " + ") }

// find returns the row that is over all images with these names.
func (s *Study) find(measure string, set []string, stage, observer string) (metamer.Row, bool) {
	i, ok := s.look()[rowName{measure, SetName(set), stage, observer}]
	if !ok {
		return metamer.Row{}, false
	}
	r := s.Rows[i]
	return r, !math.IsNaN(r.Value) && r.Withheld() == ""
}

// look returns the index of the rows, made anew when they are others.
func (s *Study) look() map[rowName]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.Rows) == 0 || s.indexed == &s.Rows[0] && s.length == len(s.Rows) {
		return s.index
	}
	s.index, s.indexed, s.length = map[rowName]int{}, &s.Rows[0], len(s.Rows)
	for i, r := range s.Rows {
		if r.Image >= 0 || s.Pairs && r.Against() != nil {
			continue
		}
		n := rowName{r.Measure, r.Set, r.Stage, r.Observer}
		if _, dup := s.index[n]; !dup { // the first counts
			s.index[n] = i
		}
	}
	return s.index
}

// caption ends what a figure says with its settings.
func (s *Study) caption(text string) string {
	if s.Settings == "" {
		return text
	}
	return text + " Settings: " + s.Settings + "."
}

func need(ok bool, figure, what string) error {
	if ok {
		return nil
	}
	return fmt.Errorf("figures: %s needs %s, and the rows have none", figure, what)
}

// title makes a stage's name a heading.
func title(stage string) string {
	if stage == "" {
		return stage
	}
	return strings.ToUpper(stage[:1]) + stage[1:]
}
