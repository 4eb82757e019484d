package server

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/people"
	pages "github.com/ensemble-metamers/metamers/metamerkit/people/page"
)

// experiment writes the page of an experiment with the default settings.
func (j *job) experiment(q *api.Experiment) (*api.Reply, error) {
	if j.Store != nil {
		return nil, errors.New("experiment: the engine is on another machine, which does not have this folder: use metamers experiment make there")
	}
	if q.Out == "" || len(q.Runs) == 0 {
		return nil, errors.New("experiment: expected a folder to write and at least one run")
	}
	s := people.Source{Natural: true, PracticeCount: people.DefaultPractice}
	for _, id := range q.Runs {
		run, err := j.run(id)
		if err != nil {
			return nil, err
		}
		s.Runs = append(s.Runs, run)
	}
	var err error
	if s.References, err = j.sets.get(metamer.ImageRef{SHA256: s.Runs[0].Recipe.Images.SHA256}); err != nil {
		return nil, err
	}
	if q.Others != nil {
		if s.Others, err = j.sets.get(*q.Others); err != nil {
			return nil, err
		}
	}
	if err := s.Label(); err != nil {
		return nil, err
	}
	out := q.Out
	if !filepath.IsAbs(out) {
		out = filepath.Join(j.q.Folder, out)
	}
	d, err := pages.Make(j.ctx, out, people.Default(s.References.Size), s, "")
	if err != nil {
		return nil, err
	}
	return &api.Reply{Texts: []string{
		filepath.Join(out, "index.html"), d.SHA256(),
		fmt.Sprintf("%d conditions, %d choices, %d trials a participant, %d references not tested. %s", len(d.Conditions), len(d.Choices), len(d.Schedules[0]), len(d.Left), d.Exclusion),
	}}, nil
}
