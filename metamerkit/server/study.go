package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	_ "github.com/ensemble-metamers/metamers/metamerkit/images/photos" // the image set photos
	"github.com/ensemble-metamers/metamers/metamerkit/study"
)

// study carries a plan out and remembers what it gave.
func (j *job) study(q *api.Study) (*api.Reply, error) {
	var p study.Plan
	d := json.NewDecoder(bytes.NewReader(q.Plan))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return nil, fmt.Errorf("server: the plan cannot be read: %w", err)
	}
	p = p.WithDefaults()
	var err error
	if p.Settings.Null, err = j.nullName(p.Settings.Null); err == nil {
		err = p.Validate() // before images are opened
	}
	if err != nil {
		return nil, fmt.Errorf("study: plan %s: %w", p.Name, err)
	}
	st, err := j.store()
	if err != nil {
		return nil, err
	}
	var refs *images.Set
	if q.Images != nil {
		refs, err = j.sets.get(*q.Images)
	} else {
		refs, _, err = j.open([]string{p.Images}, p.Size)
	}
	if err != nil {
		return nil, fmt.Errorf("study: plan %s: %w", p.Name, err)
	}
	l := j.live(nil)
	o := study.Options{Store: st, Images: refs, Progress: l.plan, Warn: j.warn}
	if j.Extra != nil {
		o.Extra = j.Extra(refs)
	}
	r, err := study.Do(j.ctx, j.Engine, p, o)
	l.end(err)
	if err != nil {
		return nil, err
	}
	plan, err := json.Marshal(r.Plan)
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	reply := &api.Reply{Study: &api.Result{ID: rand.Text(), Plan: plan, Took: r.Took}}
	reply.Saved = saved(r.Runs...)
	for _, t := range r.Tables() {
		reply.Study.Tables = append(reply.Study.Tables, *t)
	}
	j.studies.Put(reply.Study.ID, r)
	return reply, nil
}

// parts returns parts of a finished study.
func (j *job) parts(q *api.StudyParts) (*api.Reply, error) {
	r, ok := j.studies.Get(q.ID)
	if !ok {
		return nil, api.ErrForgotten
	}
	reply := &api.Reply{}
	if q.Rows {
		reply.Rows = api.PackRows(r.Rows)
	}
	if q.Runs {
		reply.Images, reply.SHA256 = api.LightImages(r.Images), j.sets.put("", r.Images)
		for _, run := range r.Runs {
			j.runs.Put(run.ID, run)
			reply.Runs = append(reply.Runs, api.LightRun(run))
		}
	}
	if q.Figure != nil {
		f, err := r.Figure(q.Figure.Name)
		if err != nil {
			return nil, err
		}
		if reply.Figure, err = render(f, *q.Figure); err != nil {
			return nil, err
		}
	}
	if q.Table != "" {
		t, err := r.Table(q.Table)
		if err != nil {
			return nil, err
		}
		reply.Tables = append(reply.Tables, *t)
	}
	if q.Write != "" {
		dir := q.Write
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(j.q.Folder, dir)
		}
		warnings, err := r.Write(dir)
		if err != nil {
			return nil, err
		}
		reply.Texts = warnings
	}
	return reply, context.Cause(j.ctx)
}
