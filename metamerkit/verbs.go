package metamerkit

import (
	"errors"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Synthesize makes metamers of the images by a recipe whose models and stage are set; the
// rest has defaults (see Recipe). While it works the cell shows steps, losses and emerging
// metamers. It returns a stored run at once and resumes an interrupted one. The error
// names a model, setting or image that cannot be used, or the image and step at which a
// loss or its gradient was not finite; then no run is stored.
func Synthesize(r Recipe, refs Images) (*Run, error) {
	r.Images = refs.ref()
	reply, err := do(api.Request{Synthesize: &api.Synthesis{Recipe: r}}, refs)
	if err != nil {
		return nil, err
	}
	if len(reply.Runs) != 1 {
		return nil, errors.New("metamerkit: the server returned no run")
	}
	if err := api.CheckRun(reply.Runs[0]); err != nil {
		return nil, err
	}
	return &Run{reply.Runs[0], refs}, nil
}

// Evaluate measures one or more runs by observers: recognizability, JSD and other measures
// of similarity, success and image metrics (docs/evaluation.md). Without observers it uses
// the members and all available models with the same classes. A value that a measure
// cannot give is a row with NaN and the reason.
func Evaluate[R *Run | []*Run](runs R, observers ...string) (Rows, error) {
	var list []*Run
	switch r := any(runs).(type) {
	case *Run:
		list = []*Run{r}
	case []*Run:
		list = r
	}
	q := api.Evaluation{Observers: observers}
	var refs []Images
	for _, r := range list {
		q.Runs = append(q.Runs, &metamer.Run{ID: r.ID, Recipe: metamer.Recipe{Images: r.References.ref()}})
		refs = append(refs, r.References)
	}
	reply, err := do(api.Request{Evaluate: &q}, refs...)
	if err != nil {
		return nil, err
	}
	if reply.Rows == nil {
		return nil, errors.New("metamerkit: the server returned no rows")
	}
	return reply.Rows.Unpack()
}
