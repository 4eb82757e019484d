package study

import (
	"fmt"
	"math"
	"strconv"

	"github.com/ensemble-metamers/metamers/metamerkit/claims"
	"github.com/ensemble-metamers/metamers/metamerkit/figures"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Tables of a result with people among its observers.
const (
	claimsByPeople    = "claims-people"
	peopleAndNetworks = "people"
)

// AddPeople adds rows of people, which must be of the result's runs.
func (r *Result) AddPeople(people metamer.Rows) error {
	rows, err := claims.WithPeople(r.Rows, people)
	if err == nil {
		r.Rows = rows
	}
	return err
}

// ClaimsByPeople tests the paper's claims with people as the only observer; nil where
// nobody was asked.
func (r *Result) ClaimsByPeople() ([]claims.Claim, error) {
	o := claims.Options{}
	o.Bootstrap.Resamples = r.Plan.Bootstrap
	return claims.OfPeople(r.Rows, r.Cards, o)
}

// testedByPeople reports whether any of the paper's claims is tested with people.
func (r *Result) testedByPeople() bool {
	list, err := r.ClaimsByPeople()
	return err == nil && len(claims.Tested(list)) > 0
}

// peopleTable makes one of the two tables.
func (r *Result) peopleTable(name string) (*figures.Table, error) {
	if !claims.HasPeople(r.Rows) {
		return nil, fmt.Errorf("study: the table %s needs rows of people (--people)", name)
	}
	if name == peopleAndNetworks {
		return r.networks(), nil
	}
	list, err := r.ClaimsByPeople()
	if err != nil {
		return nil, err
	}
	if len(claims.Tested(list)) == 0 {
		return nil, fmt.Errorf("study: %s: the rows of people test none of the paper's claims", name)
	}
	t := ClaimsTable(list)
	t.Name, t.Title = name, "Claims with people as the observer"
	t.Caption = "The paper's claims with the participants of an experiment as the only observer. " + t.Caption
	return t, nil
}

// networks is the table of rank correlations between people and networks.
func (r *Result) networks() *figures.Table {
	t := &figures.Table{Name: peopleAndNetworks, Title: "People and networks",
		Caption: "Spearman correlation, over model sets and stages, of the recognizability by people and by each observer. Feather et al. 2023 give .91 between people and the mean over networks.",
		Columns: []figures.Column{{Head: "observer"}, {Head: "conditions", Right: true}, {Head: "Spearman", Right: true}}}
	for _, row := range r.Rows {
		if row.Observer == metamer.People && row.Measure == metamer.NoiseCeiling && !math.IsNaN(row.Value) {
			t.Caption += fmt.Sprintf(" The noise ceiling, people with people, is %.3f.", row.Value)
		}
	}
	for _, c := range claims.Correlate(r.Rows) {
		value := "–"
		if !math.IsNaN(c.Spearman) {
			value = fmt.Sprintf("%.3f", c.Spearman)
		}
		t.Rows = append(t.Rows, []string{c.Observer, strconv.Itoa(c.Conditions), value})
	}
	return t
}
