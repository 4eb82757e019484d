package study

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/claims"
	"github.com/ensemble-metamers/metamers/metamerkit/figures"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

func single(set []string) bool   { return len(set) == 1 }
func ensemble(set []string) bool { return len(set) > 1 }

// Overview is Figure 1, with examples of a CNN ensemble at the last stage where there
// is one.
func (r *Result) Overview() (*figures.Figure, error) {
	if err := r.shown("figure1"); err != nil {
		return nil, err
	}
	// Of the stages that have runs the last, of the sets that have one there the best.
	var best *metamer.Run
	score := -1
	for _, stage := range r.Plan.Stages {
		for i, set := range r.Plan.Sets {
			run := r.Run(set, stage)
			if run == nil {
				continue
			}
			if i == 0 || best == nil || best.Recipe.Stage != stage {
				best, score = nil, -1
			}
			s := 0
			if len(set) > 1 { // the figure is of ensembles
				s += 4
			}
			cnn, robust := true, true
			for _, m := range set {
				c := r.Cards[m]
				cnn = cnn && c != nil && c.Kind == "cnn"
				robust = robust && c != nil && c.Training == "robust"
			}
			if cnn {
				s += 2
			}
			if robust { // their metamers can be recognised in print
				s++
			}
			if s > score {
				best, score = run, s
			}
		}
	}
	return figures.Overview(r.Study(), r.Images, best)
}

// shown reports whether there are images to show.
func (r *Result) shown(figure string) error {
	if len(r.Runs) == 0 || r.Images == nil {
		return fmt.Errorf("figures: %s shows images, and no run of these rows is in the store", figure)
	}
	return nil
}

// Gallery is Figure 2.
func (r *Result) Gallery() (*figures.Figure, error) {
	if err := r.shown("figure2"); err != nil {
		return nil, err
	}
	return figures.Gallery(r.Study(), r.Images, r.Plan.Examples, r.alone()...)
}

// Recognizability is Figure 3.
func (r *Result) Recognizability() (*figures.Figure, error) {
	return figures.Recognizability(r.Study())
}

// Quality is Figure 4, of ensembles where the plan has any.
func (r *Result) Quality() (*figures.Figure, error) {
	return figures.Quality(r.Study(), figures.Metrics, r.ensembles())
}

// Divergence is Figure 5, of ensembles where the plan has any.
func (r *Result) Divergence() (*figures.Figure, error) {
	return figures.Divergence(r.Study(), metamer.JSD, r.ensembles())
}

// ensembles chooses the ensembles, or all sets where the plan has single models only.
func (r *Result) ensembles() func(set []string) bool {
	if slices.ContainsFunc(r.Plan.Sets, ensemble) {
		return ensemble
	}
	return nil
}

// SingleQuality is Figure 6: image metrics of single-model metamers.
func (r *Result) SingleQuality() (*figures.Figure, error) {
	return renamed("figure6", "Image metrics of single-model metamers")(figures.Quality(r.Study(), figures.Metrics, single))
}

// SingleDivergence is Figure 7: JSD of single-model metamers.
func (r *Result) SingleDivergence() (*figures.Figure, error) {
	return renamed("figure7", "Jensen-Shannon divergence of single-model metamers")(figures.Divergence(r.Study(), metamer.JSD, single))
}

// Parting is Figure 8: how far metamers for each set are driven apart in each other set.
func (r *Result) Parting() (*figures.Figure, error) { return figures.Parting(r.pairs()) }

// pairs is Study with the settings of pairs.
func (r *Result) pairs() *figures.Study {
	s := r.Study()
	for _, run := range r.made() {
		if r.isPair(run) {
			s.Settings = run.Recipe.Describe()
		}
	}
	return s
}

func renamed(name, title string) func(*figures.Figure, error) (*figures.Figure, error) {
	return func(f *figures.Figure, err error) (*figures.Figure, error) {
		if err == nil {
			f.Name, f.Title = name, title
		}
		return f, err
	}
}

// Figures returns Figures 1 to 7, and Figure 8 of a plan with pairs. One that the rows have nothing for is left out,
// and the error says so; the others are there all the same.
func (r *Result) Figures() (out []*figures.Figure, err error) {
	for _, name := range FigureNames {
		if name == "figure8" && !r.Plan.Pairs {
			continue
		}
		f, e := r.Figure(name)
		if e != nil {
			err = errors.Join(err, e)
			continue
		}
		out = append(out, f)
	}
	return out, err
}

// Tables returns Tables 1 to 5, and Table 6 of a plan with pairs.
func (r *Result) Tables() []*figures.Table {
	out := []*figures.Table{
		figures.Models(r.Models()...), figures.ModelSets(r.Study()), figures.Stages(r.Models()...),
		figures.Settings(r.made()...), figures.Numbers(r.Study(), figures.Metrics),
	}
	if r.Plan.Pairs {
		out = append(out, figures.Partings(r.pairs()))
	}
	return out
}

// made are the runs with their recipes: those at hand, else, without pixels, what the
// rows say of them. The runs of pairs are said to be against each other set.
func (r *Result) made() []*metamer.Run {
	out := r.recipes()
	for i, run := range out {
		if r.isPair(run) {
			against, general := *run.Recipe.Against, *run
			against.Models = metamer.Refs("each other set")
			general.Recipe.Against = &against
			out[i] = &general
		}
	}
	return out
}

func (r *Result) recipes() (out []*metamer.Run) {
	if len(r.Runs) > 0 {
		return slices.DeleteFunc(slices.Clone(r.Runs), func(run *metamer.Run) bool { return run.Source != "" })
	}
	seen := map[string]bool{}
	for _, row := range r.Rows {
		if key := fmt.Sprint(row.Set, " ", row.Stage, row.Against()); row.Made == nil || row.Set == "" || seen[key] || row.Made.Optimizer == "elsewhere" {
			continue
		} else if rec, err := row.Made.Recipe(); err == nil { // else rows of someone's own
			seen[key] = true
			rec.Stage = row.Stage
			for _, m := range strings.Split(row.Set, "+") {
				rec.Models = append(rec.Models, metamer.ModelRef{Name: m})
			}
			out = append(out, &metamer.Run{ID: row.Run, Recipe: rec})
		}
	}
	return out
}

// Claims tests the paper's claims by this result.
func (r *Result) Claims() ([]claims.Claim, error) {
	o := claims.Options{}
	o.Bootstrap.Resamples = r.Plan.Bootstrap
	rows := r.Rows
	if r.Plan.Pairs {
		rows = rows.Where(func(row metamer.Row) bool { return row.Against() == nil })
	}
	return claims.Of(rows, r.Cards, o)
}

// ClaimsTable renders the claims that are tested.
func ClaimsTable(list []claims.Claim) *figures.Table {
	list = claims.Tested(list)
	t := &figures.Table{Name: "claims", Title: "Claims", Caption: "The paper's claims by this experiment. The number is positive where the claim holds; intervals are 95 % bootstrap intervals over images, p is Holm's correction of Wilcoxon's signed-rank test.",
		Columns: []figures.Column{{Head: "claim"}, {Head: "verdict"}, {Head: "number", Right: true}, {Head: "95 % interval", Right: true}, {Head: "p", Right: true}, {Head: "compared"}}}
	value := func(v float64, format string) string {
		if math.IsNaN(v) {
			return "–"
		}
		return fmt.Sprintf(format, v)
	}
	for _, c := range list {
		interval, number := "–", value(c.Number, "%+.3f")
		if c.Unit != "" && number != "–" {
			number += " " + c.Unit
		}
		if !math.IsNaN(c.Low) {
			interval = fmt.Sprintf("%+.3f to %+.3f", c.Low, c.High)
		}
		t.Rows = append(t.Rows, []string{c.Text, c.Verdict, number, interval, value(c.P, "%.2g"), c.Test + " (" + c.Basis + ")"})
	}
	return t
}

// Versions names what computed the runs.
func (r *Result) Versions() string {
	if len(r.Runs) > 0 {
		return r.Runs[0].Recipe.Computed()
	}
	for _, row := range r.Rows {
		if row.Made != nil {
			return row.Made.Versions
		}
	}
	return ""
}

// tested reports whether any of the paper's claims is tested.
func (r *Result) tested() bool {
	list, err := r.Claims()
	return err == nil && len(claims.Tested(list)) > 0
}

// models are the members of all sets and the observers that have rows, in this order.
func (r *Result) models() (out []string) {
	for _, set := range append(slices.Clone(r.Plan.Sets), r.Plan.Observers) {
		for _, m := range set {
			out = once(out, m)
		}
	}
	return out
}
