package metamerkit

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
)

// Result is the result of a plan. Its methods return figures, tables, rows and runs, which
// they request from the engine.
type Result struct {
	Plan Plan // with defaults and the full names of models
	Took time.Duration

	plan   Plan // as given
	id     string
	tables []Table
}

// Study carries out a plan. It computes only runs and evaluations that are not stored. The
// error names the setting, model or image set of the plan that cannot be used, or is that
// of the first run that failed.
func Study(p Plan) (*Result, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("metamerkit: %w", err)
	}
	reply, err := do(api.Request{Study: &api.Study{Plan: text}})
	if err != nil {
		return nil, err
	}
	if reply.Study == nil {
		return nil, errors.New("metamerkit: the server returned no study")
	}
	r := &Result{Took: reply.Study.Took, plan: p, id: reply.Study.ID, tables: reply.Study.Tables}
	if err := json.Unmarshal(reply.Study.Plan, &r.Plan); err != nil {
		return nil, fmt.Errorf("metamerkit: the engine's plan: %w", err)
	}
	return r, nil
}

// parts requests parts of the study. If the engine was restarted and no longer has the
// study, the plan is carried out again, which reads runs and rows from the store.
func (r *Result) parts(q api.StudyParts) (*api.Reply, error) {
	q.ID = r.id
	reply, err := do(api.Request{Parts: &q})
	if !errors.Is(err, api.ErrForgotten) {
		return reply, err
	}
	again, err := Study(r.plan)
	if err != nil {
		return nil, err
	}
	r.id, q.ID = again.id, again.id
	return do(api.Request{Parts: &q})
}

// Rows returns all measured values.
func (r *Result) Rows() (Rows, error) {
	reply, err := r.parts(api.StudyParts{Rows: true})
	if err != nil {
		return nil, err
	}
	if reply.Rows == nil {
		return nil, errors.New("metamerkit: the server returned no rows")
	}
	return reply.Rows.Unpack()
}

// Runs returns the runs, ordered by set and then by stage.
func (r *Result) Runs() ([]*Run, error) {
	reply, err := r.parts(api.StudyParts{Runs: true})
	if err != nil {
		return nil, err
	}
	if reply.Images == nil {
		return nil, errors.New("metamerkit: the server returned no images")
	}
	if err := api.CheckLight(reply.Images); err != nil {
		return nil, err
	}
	refs := Images{ImageSet: reply.Images, sum: reply.SHA256, opened: &api.Open{Spec: []string{r.Plan.Images}, Size: r.Plan.Size}}
	var out []*Run
	for _, run := range reply.Runs {
		if err := api.CheckRun(run); err != nil {
			return nil, err
		}
		out = append(out, &Run{run, refs})
	}
	return out, nil
}

// Run returns the run at a stage of a set, which is given by its members' full names or by
// a group's name. Of a plan with Pairs it is that of the set alone.
// A run that is not in the study is an error.
func (r *Result) Run(stage string, set ...string) (*Run, error) { return r.find(stage, set, nil) }

// Pair returns the run at a stage of a set against another one, of a plan with Pairs. Sets are
// given as in Run.
func (r *Result) Pair(stage string, set, against []string) (*Run, error) {
	if len(against) == 0 {
		return nil, errors.New("metamerkit: a pair of a set and nothing, expected another set")
	}
	return r.find(stage, set, against)
}

func (r *Result) find(stage string, set, against []string) (*Run, error) {
	for _, s := range []*[]string{&set, &against} {
		if len(*s) == 1 && r.Plan.Groups[(*s)[0]] != nil {
			*s = r.Plan.Groups[(*s)[0]]
		}
	}
	runs, err := r.Runs()
	if err != nil {
		return nil, err
	}
	for _, run := range runs {
		if run.Recipe.Stage == stage && slices.Equal(run.Recipe.ModelNames(), set) && (!r.Plan.Pairs || slices.Equal(run.Recipe.Against.Names(), against)) {
			return run, nil
		}
	}
	if against != nil {
		return nil, fmt.Errorf("metamerkit: the study has no run of %q against %q at stage %q", set, against, stage)
	}
	return nil, fmt.Errorf("metamerkit: the study has no run of %q at stage %q", set, stage)
}

// Figure returns one of figure1 to figure8. Another name, and a figure that lacks its rows,
// are errors.
func (r *Result) Figure(name string) (*Figure, error) {
	return figure(name, func(f api.Format) (*api.Figure, error) {
		f.Name = name
		reply, err := r.parts(api.StudyParts{Figure: &f})
		if err != nil {
			return nil, err
		}
		return reply.Figure, nil
	})
}

// Overview returns Figure 1, with examples of a CNN ensemble at the last stage if the plan
// has one.
func (r *Result) Overview() (*Figure, error) { return r.Figure("figure1") }

// Gallery returns Figure 2: references and metamers of every set and stage.
func (r *Result) Gallery() (*Figure, error) { return r.Figure("figure2") }

// Recognizability returns Figure 3: the share of metamers that observers give the
// reference's class, by stage.
func (r *Result) Recognizability() (*Figure, error) { return r.Figure("figure3") }

// Quality returns Figure 4: image metrics, of ensembles if the plan has any.
func (r *Result) Quality() (*Figure, error) { return r.Figure("figure4") }

// Divergence returns Figure 5: JSD in bits, of ensembles if the plan has any.
func (r *Result) Divergence() (*Figure, error) { return r.Figure("figure5") }

// SingleQuality returns Figure 6: image metrics of single-model metamers.
func (r *Result) SingleQuality() (*Figure, error) { return r.Figure("figure6") }

// SingleDivergence returns Figure 7: JSD in bits of single-model metamers.
func (r *Result) SingleDivergence() (*Figure, error) { return r.Figure("figure7") }

// Parting returns Figure 8, of a plan with Pairs: how far metamers for each set are driven
// apart in each other set.
func (r *Result) Parting() (*Figure, error) { return r.Figure("figure8") }

// Tables returns Tables 1 to 5: models, model sets, stages, settings, numbers; and Table 6, the
// numbers of Figure 8, of a plan with Pairs.
func (r *Result) Tables() []*Table {
	var out []*Table
	for i := range r.tables {
		out = append(out, &r.tables[i])
	}
	return out
}

// Verdicts returns the paper's claims as a table, each with its number, interval and
// verdict from this study.
func (r *Result) Verdicts() (*Table, error) {
	reply, err := r.parts(api.StudyParts{Table: "claims"})
	if err != nil {
		return nil, err
	}
	if len(reply.Tables) != 1 {
		return nil, errors.New("metamerkit: the server returned no table")
	}
	return &reply.Tables[0], nil
}

// Write writes the whole result into a folder: figures as PNG, SVG and PDF, tables as
// Markdown, LaTeX and CSV, rows.csv, and index.html, which shows all of it. It returns a
// warning for each part that could not be drawn.
func (r *Result) Write(folder string) (warnings []string, err error) {
	reply, err := r.parts(api.StudyParts{Write: folder})
	if err != nil {
		return nil, err
	}
	return reply.Texts, nil
}
