package server

import (
	"fmt"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/figures"
)

// distort finds distortions and draws them.
func (j *job) distort(q api.Distorting) (*api.Reply, error) {
	refs, err := j.sets.get(q.Named)
	if err != nil {
		return nil, err
	}
	q = q.WithDefaults()
	q.Images = refs
	l := j.live(nil)
	q.Progress = func(image int, search string, products int) {
		l.part(fmt.Sprintf("%s: %s", refs.Names[image], search), (float64(image)+float64(products)/float64(q.Products))/float64(refs.Len()), 0)
	}
	found, err := j.Engine.Distort(j.ctx, q)
	l.end(err)
	if err != nil {
		return nil, err
	}
	m, err := figures.DistortionSheet(refs, q.Stage, found, figures.DistortionRMS)
	if err != nil {
		return nil, err
	}
	data, err := encoded(m)
	return &api.Reply{Distortions: found, Figure: &api.Figure{Title: "distortions", Data: data}}, err
}
