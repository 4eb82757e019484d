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

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

// record is study.json, which lies beside the results of a plan so that they can be
// drawn again.
type record struct {
	Plan Plan          `json:"plan"`
	Runs []string      `json:"runs"` // IDs, set by set
	Took time.Duration `json:"took"` // nanoseconds
	// Files are the names of all files that Write left in the folder; nil in records of
	// before they were kept.
	Files []string `json:"files,omitempty"`
}

// recordName is the file of a record, rowsName that of the rows beside it.
const (
	recordName = "study.json"
	rowsName   = "rows.csv"
)

// Holds returns the name of the plan whose page a folder holds, "" if there is none.
func Holds(dir string) string { return recorded(dir).Plan.Name }

// recorded is the record in a folder; empty where there is none that can be read.
func recorded(dir string) (rec record) {
	text, err := os.ReadFile(filepath.Join(dir, recordName))
	if err != nil || json.Unmarshal(text, &rec) != nil {
		return record{}
	}
	return rec
}

// tidy removes the files that an earlier page left in a folder and that are none of the
// new ones, and returns their names. Only names in the record are looked at.
func tidy(dir string, before, now []string) (gone []string, err error) {
	for _, name := range before {
		if slices.Contains(now, name) || name != filepath.Base(name) || !filepath.IsLocal(name) {
			continue
		}
		switch info, err := os.Lstat(filepath.Join(dir, name)); {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return gone, fmt.Errorf("study: %w", err)
		case !info.Mode().IsRegular():
			continue
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			return gone, fmt.Errorf("study: %w", err)
		}
		gone = append(gone, name)
	}
	return gone, nil
}

func (r *Result) record(dir string, files []string) error {
	rec := record{Plan: r.Plan, Took: r.Took, Files: files}
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
		return fmt.Errorf("study: %s is not a results folder: %w", dir, err)
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
	p.Pairs = p.Pairs || q.Pairs
	p.Distortions = max(p.Distortions, q.Distortions)
	p.Name += " and " + q.Name
}

// Compatible reports runs that cannot be drawn together with the rows and with each
// other, before anything is measured of them.
func (a *Again) Compatible(named ...*metamer.Run) error {
	if len(named) == 0 {
		return nil
	}
	if err := SameImages(named...); err != nil {
		return err
	}
	probe := Again{Rows: slices.Clone(a.Rows)}
	for _, run := range named {
		probe.Rows = append(probe.Rows, metamer.Row{Run: run.ID, Set: strings.Join(run.Recipe.ModelNames(), "+"), Stage: run.Recipe.Stage, Image: -1, Made: run.Made()})
	}
	_, _, err := probe.Result()
	return err
}

// Result returns what can be drawn of the rows. What is missing beside them is said in
// notes: the figures that need it are then left out. Rows of several runs of one set at
// one stage cannot be drawn together, and are an error.
func (a *Again) Result() (r *Result, notes []string, err error) {
	r = &Result{Plan: a.Plan, Cards: map[string]*card.Card{}, settings: a.Plan.Sets == nil}
	type place struct{ set, stage, against string }
	ids, made := map[place]string{}, map[string]*metamer.Made{}
	against := map[[2]string]string{} // of a set at a stage; others make it a plan with pairs
	var order []string
	references := false
	for _, row := range a.Rows {
		if row.Set == "" && row.Observer == metamer.People {
			r.Rows = append(r.Rows, row)
			continue
		}
		if row.Set == "" { // of the references: those of the first source
			if references && len(order) > 0 {
				continue
			}
			references = true
			r.Rows = append(r.Rows, row)
			continue
		}
		at := place{row.Set, row.Stage, strings.Join(row.Against(), "+")}
		if before, ok := against[[2]string{row.Set, row.Stage}]; ok && before != at.against {
			r.Plan.Pairs = true
		} else if !ok {
			against[[2]string{row.Set, row.Stage}] = at.against
		}
		if before, ok := ids[at]; ok && before != row.Run {
			made[row.Run] = row.Made
			two := a.sources([]string{before, row.Run}, made)
			if err := oneImageSet(two); err != nil { // what weighs more
				return nil, nil, err
			}
			return nil, nil, fmt.Errorf("study: %s and %s are two runs of {%s} at %s and differ in %s: give one of them", before, row.Run, strings.ReplaceAll(row.Set, "+", ", "), row.Stage, contrast(two[0], two[1]))
		} else if !ok {
			ids[at] = row.Run
			order = append(order, row.Run)
		}
		if row.Made != nil {
			made[row.Run] = row.Made
		}
		r.Rows = append(r.Rows, row)
	}
	if len(order) == 0 {
		return nil, nil, fmt.Errorf("study: the rows name no model set")
	}
	sources := a.sources(order, made)
	if err := oneImageSet(sources); err != nil {
		return nil, nil, err
	}
	if r.Plan.Pairs { // which differ in more than models
		sources = slices.DeleteFunc(sources, func(s source) bool { return s.recipe.Against != nil })
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
		notes = append(notes, fmt.Sprintf("%d of the %d runs of these rows are missing: figures that show images leave them out", len(absent), len(order)))
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

// ReadDistortions takes those that the plan asks for from a store, without those that it lacks.
func (r *Result) ReadDistortions(store *runs.Store) {
	if r.Plan.Distortions == 0 || r.Images == nil {
		return
	}
	refs, err := r.Plan.distorted(r.Images)
	if err != nil {
		return // other images
	}
	kept := newDistortionStore(store)
	for _, set := range r.Plan.Sets {
		for _, stage := range r.Plan.Stages {
			run, q, found := r.Run(set, stage), r.Plan.distorting(set, stage), make([]api.Distortions, refs.Len())
			whole := true
			for i := range found {
				whole = whole && kept.read(run, q, refs, i, &found[i])
			}
			if whole {
				r.Distortions = append(r.Distortions, Distorted{set, stage, found})
			}
		}
	}
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
		if byObservers && row.Observer != "" && row.Observer != metamer.Members && row.Observer != metamer.NonMembers && row.Observer != metamer.People && !slices.Contains(p.Observers, row.Observer) {
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
