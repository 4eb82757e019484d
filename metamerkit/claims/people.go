package claims

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// HasPeople reports whether people recognized metamers of a run of the rows.
func HasPeople(rows metamer.Rows) bool {
	return slices.ContainsFunc(rows, func(r metamer.Row) bool {
		return r.Observer == metamer.People && r.Set != "" && r.Measure == metamer.Recognizability
	})
}

// OfPeople tests the claims with people as the only observer; nil where no row is of people.
func OfPeople(rows metamer.Rows, cards map[string]*card.Card, o Options) ([]Claim, error) {
	if !HasPeople(rows) {
		return nil, nil
	}
	return Of(rows.Where(func(r metamer.Row) bool { return r.Observer == metamer.People }), cards, o)
}

// WithPeople adds rows of people to those of an evaluation. They must be of its runs: a run
// of the same model set and stage that is another one is an error, and so are people who
// saw none of the runs.
func WithPeople(rows, people metamer.Rows) (metamer.Rows, error) {
	type place struct{ set, stage string }
	runs := map[place]string{}
	for _, r := range rows {
		if r.Set != "" {
			runs[place{r.Set, r.Stage}] = r.Run
		}
	}
	common := false
	for _, r := range people {
		if r.Set == "" {
			continue
		}
		switch run, ok := runs[place{r.Set, r.Stage}]; {
		case ok && run != r.Run:
			return nil, fmt.Errorf("claims: people saw the metamers of run %s, and the rows are of run %s, of {%s} at %s too: expected one run", r.Run, run, r.Set, r.Stage)
		case ok:
			common = true
		}
	}
	if !common {
		return nil, fmt.Errorf("claims: people saw none of the runs of the rows")
	}
	return append(slices.Clone(rows), people...), nil
}

// Correlation is how alike an observer and people rank the conditions.
type Correlation struct {
	Observer   string
	Conditions int     // sets and stages that both have
	Spearman   float64 // NaN: fewer than three conditions, or one of the two does not rank them
}

// minConditions is the smallest number of conditions that are ranked: of two, every
// correlation is 1 or -1.
const minConditions = 3

// Correlate ranks the conditions by the recognizability of each observer and of people
// (Feather et al. 2023 give .91 for the mean over networks).
func Correlate(rows metamer.Rows) (out []Correlation) {
	type condition struct{ set, stage string }
	ours := map[condition]float64{}
	over := rows.Overall(metamer.Recognizability)
	for _, r := range over {
		if r.Set != "" && r.Observer == metamer.People && !math.IsNaN(r.Value) {
			ours[condition{r.Set, r.Stage}] = r.Value
		}
	}
	a, b := map[string][]float64{}, map[string][]float64{}
	for _, r := range over {
		if v, ok := ours[condition{r.Set, r.Stage}]; ok && r.Observer != metamer.People && !math.IsNaN(r.Value) {
			a[r.Observer], b[r.Observer] = append(a[r.Observer], v), append(b[r.Observer], r.Value)
		}
	}
	for _, o := range slices.Sorted(maps.Keys(a)) {
		c := Correlation{o, len(a[o]), math.NaN()}
		if c.Conditions >= minConditions {
			c.Spearman = evaluate.RankCorrelation(a[o], b[o])
		}
		out = append(out, c)
	}
	return out
}

// String is the correlation in a sentence.
func (c Correlation) String() string {
	head := fmt.Sprintf("Spearman of people and %s over %d conditions: ", c.Observer, c.Conditions)
	switch {
	case c.Conditions < minConditions:
		return head + fmt.Sprintf("– (expected at least %d)", minConditions)
	case math.IsNaN(c.Spearman):
		return head + "– (all conditions are alike for one of them)"
	}
	return head + fmt.Sprintf("%.3f", c.Spearman)
}
