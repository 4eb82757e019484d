package metamerkit

import (
	"context"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/ask"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/study"
)

// previewEvery is how often emerging metamers are shown: often enough to watch,
// seldom enough to cost little.
const previewEvery = 700 * time.Millisecond

// Synthesize makes metamers of the images by a recipe, of which the models and the
// stage must be set. While it works the cell shows steps, losses and the metamers as
// they emerge. A run that is there already is returned at once; one that was
// interrupted goes on.
func Synthesize(r Recipe, refs Images) (*Run, error) {
	return SynthesizeContext(Context(), r, refs)
}

// SynthesizeContext is Synthesize with a context of one's own.
func SynthesizeContext(ctx context.Context, r Recipe, refs Images) (*Run, error) {
	e, err := Engine()
	if err != nil {
		return nil, err
	}
	st, err := store()
	if err != nil {
		return nil, err
	}
	l := newLive(refs.Set)
	run, err := e.Synthesize(ctx, ask.Synthesis{Recipe: r, Images: refs.Set, Store: st, PreviewEvery: previewEvery, Progress: l.synthesis(r.WithDefaults()), Warn: say})
	l.end(err)
	if err != nil {
		return nil, err
	}
	return &Run{run, refs}, nil
}

// Evaluate measures runs as observers see them: recognizability, similarity and its
// divergence, evidence, image metrics. Without observers these are the members and
// every model that is here and knows the same classes.
func Evaluate(runs []*Run, observers ...string) (Rows, error) {
	e, err := Engine()
	if err != nil {
		return nil, err
	}
	q := ask.Evaluation{Observers: observers, Warn: say}
	for _, r := range runs {
		q.Runs = append(q.Runs, r.Run)
		q.Images = r.References.Set
	}
	l := newLive(nil)
	q.Progress = func(p metamer.Progress) { l.part(p.What, float64(p.Step)/float64(max(p.Steps, 1)), 0) }
	rows, err := e.Evaluate(Context(), q)
	l.end(err)
	return rows, err
}

// Result is a plan carried out; its figures and tables are methods.
type Result struct{ *study.Result }

// Study carries a plan out: every run and evaluation that is not there yet.
func Study(p Plan) (*Result, error) {
	e, err := Engine()
	if err != nil {
		return nil, err
	}
	st, err := store()
	if err != nil {
		return nil, err
	}
	l := newLive(nil)
	r, err := study.Do(Context(), e, p, study.Options{Store: st, Progress: func(s study.Progress) { l.part(s.What, s.Done, s.Left) }, Warn: say})
	l.end(err)
	if err != nil {
		return nil, err
	}
	return &Result{r}, nil
}

// Verdicts is the paper's claims as a table, each with its number, interval and
// verdict from this study.
func (r *Result) Verdicts() (*Table, error) {
	list, err := r.Claims()
	if err != nil {
		return nil, err
	}
	return study.ClaimsTable(list), nil
}
