package metamerkit

import (
	"errors"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Synthesize makes metamers of the images by a recipe, of which the models and the
// stage must be set. While it works the cell shows steps, losses and the metamers as
// they emerge. A stored run is returned at once; one that was
// interrupted goes on.
func Synthesize(r Recipe, refs Images) (*Run, error) {
	r.Images = refs.ref()
	reply, err := withImages([]Images{refs}, api.Request{Synthesize: &api.Synthesis{Recipe: r}})
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

// Evaluate measures a run, or several, as observers see them: recognizability,
// similarity and its divergence, match statistics, image metrics. Without observers
// these are the members and every model that is here and knows the same classes.
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
		q.Runs = append(q.Runs, &metamer.Run{ID: r.ID})
		refs = append(refs, r.References)
	}
	reply, err := withImages(refs, api.Request{Evaluate: &q})
	if err != nil {
		return nil, err
	}
	if reply.Rows == nil {
		return nil, errors.New("metamerkit: the server returned no rows")
	}
	return reply.Rows.Unpack()
}
