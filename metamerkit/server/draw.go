package server

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/figures"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// draw draws runs, with their references, and image sets.
func (j *job) draw(q *api.Drawing) (*api.Reply, error) {
	var run *metamer.Run
	var err error
	if q.Run != "" {
		if run, err = j.run(q.Run); err != nil {
			return nil, err
		}
	}
	if q.Loss != nil {
		if run == nil {
			return nil, errors.New("server: a plot of the loss needs a run")
		}
		f, err := figures.LossFigure(run)
		if err != nil {
			return nil, err
		}
		fig, err := render(f, *q.Loss)
		return &api.Reply{Figure: fig}, err
	}
	refs, err := j.sets.get(q.Images)
	if err != nil {
		return nil, err
	}
	var m image.Image
	if run != nil {
		m, err = figures.Contact(q.Sheet, refs, run)
	} else {
		m, err = sheet(q.Sheet, refs, q.PerLine)
	}
	if err != nil {
		return nil, err
	}
	data, err := encoded(m)
	return &api.Reply{Figure: &api.Figure{Title: q.Sheet, Data: data}}, err
}

// sheet shows images with their names or classes.
func sheet(title string, refs *images.Set, perLine int) (image.Image, error) {
	s := figures.Sheet{Title: title, Size: refs.Size, PerLine: perLine, Columns: refs.Titles(), Rows: []figures.Row{{Pixels: refs.Pixels}}}
	return s.Render()
}

func encoded(m image.Image) ([]byte, error) {
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	return b.Bytes(), nil
}

func render(f *figures.Figure, as api.Format) (*api.Figure, error) {
	dpi := as.DPI
	if dpi == 0 {
		dpi = figures.Inline
	}
	data, err := f.Encode(as.Kind, dpi)
	if err != nil {
		return nil, err
	}
	return &api.Figure{Name: f.Name, Title: f.Title, Caption: f.Caption, Data: data}, nil
}
