package study

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// record is study.json, which lies beside the results of a plan so that they can be
// drawn again.
type record struct {
	Plan Plan          `json:"plan"`
	Runs []string      `json:"runs"` // IDs, set by set
	Took time.Duration `json:"took"` // nanoseconds
}

// recordName is the file of a record, rowsName that of the rows beside it.
const (
	recordName = "study.json"
	rowsName   = "rows.csv"
)

func (r *Result) record(dir string) error {
	rec := record{Plan: r.Plan, Took: r.Took}
	for _, run := range r.Runs {
		rec.Runs = append(rec.Runs, run.ID)
	}
	text, err := json.MarshalIndent(rec, "", "  ")
	if err != nil {
		return fmt.Errorf("study: %s: %w", recordName, err)
	}
	return put(filepath.Join(dir, recordName), string(text)+"\n")
}

// Again is what figures and tables are drawn from without computing anything: rows,
// and what is known beside them.
type Again struct {
	Rows metamer.Rows
	// Plan says which sets, stages and observers are shown, and in what order. Sets and
	// observers of a plan without any are those of the rows.
	Plan  Plan
	Cards map[string]*card.Card // of all models that are known
	// Run returns a run by its ID; nil: no run is at hand.
	Run func(id string) (*metamer.Run, error)
	// References opens the images of a run.
	References func(*metamer.Run) (*images.Set, error)
}

// Read takes rows and plan from a folder that Write filled.
func (a *Again) Read(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, recordName))
	if err != nil {
		return fmt.Errorf("study: %s is no folder of results: %w", dir, err)
	}
	var rec record
	if err := json.Unmarshal(text, &rec); err != nil {
		return fmt.Errorf("study: %s: %w", filepath.Join(dir, recordName), err)
	}
	rows, err := metamer.LoadRows(filepath.Join(dir, rowsName))
	if err != nil {
		return err
	}
	if a.Plan.Sets == nil {
		a.Plan = rec.Plan
	} else {
		a.Plan.join(rec.Plan)
	}
	a.Rows = append(a.Rows, rows...)
	return nil
}

// join adds the sets, stages, observers and measures of another plan.
func (p *Plan) join(q Plan) {
	for _, set := range q.Sets {
		if !slices.ContainsFunc(p.Sets, func(s []string) bool { return slices.Equal(s, set) }) {
			p.Sets = append(p.Sets, set)
		}
	}
	measures := slices.Clone(p.measures())
	for _, l := range []struct {
		to   *[]string
		from []string
	}{{&p.Stages, q.Stages}, {&p.Observers, q.Observers}, {&measures, q.measures()}} {
		for _, s := range l.from {
			if !slices.Contains(*l.to, s) {
				*l.to = append(*l.to, s)
			}
		}
	}
	p.Measures = measures
	p.Name += " and " + q.Name
}

// Result returns what can be drawn of the rows. What is missing beside them is said in
// notes: the figures that need it are then left out. Rows of several runs of one set at
// one stage cannot be drawn together, and are an error.
func (a *Again) Result() (r *Result, notes []string, err error) {
	r = &Result{Plan: a.Plan, Cards: map[string]*card.Card{}, settings: a.Plan.Sets == nil}
	type place struct{ set, stage string }
	runs, made := map[place]string{}, map[string]*metamer.Made{}
	var order []string
	references := false
	for _, row := range a.Rows {
		if row.Set == "" { // of the references: those of the first source
			if references && len(order) > 0 {
				continue
			}
			references = true
			r.Rows = append(r.Rows, row)
			continue
		}
		at := place{row.Set, row.Stage}
		if before, ok := runs[at]; ok && before != row.Run {
			if made[row.Run] = row.Made; oneImageSet(a.sources([]string{before, row.Run}, made)) != nil { // what weighs more
				return nil, nil, oneImageSet(a.sources([]string{before, row.Run}, made))
			}
			return nil, nil, fmt.Errorf("study: the rows hold two runs, %s and %s, of {%s} at %s: give the rows of one", before, row.Run, row.Set, row.Stage)
		} else if !ok {
			runs[at] = row.Run
			order = append(order, row.Run)
		}
		if row.Made != nil {
			made[row.Run] = row.Made
		}
		r.Rows = append(r.Rows, row)
	}
	if len(order) == 0 {
		return nil, nil, fmt.Errorf("study: there is no row of a model set")
	}
	sources := a.sources(order, made)
	if err := oneImageSet(sources); err != nil {
		return nil, nil, err
	}
	if r.mixed = unlike(sources); r.mixed != "" {
		notes = append(notes, "the runs differ in "+r.mixed+": results depend on them")
	}
	r.fill(a.Cards)
	absent := map[string]bool{}
	for _, id := range order {
		if a.Run == nil || id == "" {
			absent[id] = true
			continue
		}
		run, err := a.Run(id)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			absent[id] = true
		case err != nil:
			return nil, nil, err
		default:
			r.Runs = append(r.Runs, run)
		}
	}
	if 0 < len(absent) && len(absent) < len(order) { // without any, figures 1 and 2 say so
		notes = append(notes, fmt.Sprintf("%d of %d runs that the rows are of are not here: figures that show images lack them", len(absent), len(order)))
	}
	if len(r.Runs) > 0 && a.References != nil {
		if r.Images, err = a.References(r.Runs[0]); err != nil {
			notes = append(notes, err.Error())
		} else {
			sum := r.Runs[0].Recipe.Images.SHA256
			r.Runs = slices.DeleteFunc(r.Runs, func(run *metamer.Run) bool { return run.Recipe.Images.SHA256 != sum })
		}
	}
	return r, notes, nil
}

// fill takes from the rows what the plan leaves open, and the cards of all models.
func (r *Result) fill(cards map[string]*card.Card) {
	p := &r.Plan
	bySets, byStages, byObservers := p.Sets == nil, p.Stages == nil, p.Observers == nil
	for _, row := range r.Rows {
		if row.Set != "" && bySets {
			if set := strings.Split(row.Set, "+"); !slices.ContainsFunc(p.Sets, func(s []string) bool { return slices.Equal(s, set) }) {
				p.Sets = append(p.Sets, set)
			}
		}
		if row.Stage != "" && byStages && !slices.Contains(p.Stages, row.Stage) {
			p.Stages = append(p.Stages, row.Stage)
		}
		if byObservers && row.Observer != "" && row.Observer != metamer.Members && row.Observer != metamer.NonMembers && !slices.Contains(p.Observers, row.Observer) {
			p.Observers = append(p.Observers, row.Observer)
		}
	}
	for _, set := range append(slices.Clone(p.Sets), p.Observers) {
		for _, m := range set {
			if c := cards[m]; c != nil {
				r.Cards[m] = c
			}
		}
	}
	if byStages { // in the order of depth
		slices.SortStableFunc(p.Stages, func(a, b string) int { return depth(a) - depth(b) })
	}
	if p.Name == "" {
		p.Name = "rows"
	}
}

// depth orders early, middle and late, and any layer behind them.
func depth(stage string) int {
	if i := slices.Index(metamer.Stages, stage); i >= 0 {
		return i
	}
	return len(metamer.Stages)
}
