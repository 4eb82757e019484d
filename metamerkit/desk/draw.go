package desk

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"

	"github.com/ensemble-metamers/metamers/metamerkit/errand"
	"github.com/ensemble-metamers/metamers/metamerkit/figures"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// draw draws what the program holds: image sets, and runs with their references.
func (j *job) draw(q *errand.Drawing) (*errand.Reply, error) {
	var run *metamer.Run
	if q.Run != nil {
		var err error
		if run, err = q.Run.Unpack(); err != nil {
			return nil, err
		}
	}
	if q.Loss != nil {
		if run == nil {
			return nil, errors.New("desk: a plot of the loss, and no run")
		}
		f, err := figures.LossFigure(run)
		if err != nil {
			return nil, err
		}
		fig, err := render(f, *q.Loss)
		return &errand.Reply{Figure: fig}, err
	}
	refs, err := q.Images.Set()
	if err != nil {
		return nil, err
	}
	if refs == nil {
		return nil, errors.New("desk: a contact sheet, and no images")
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
	return &errand.Reply{Figure: &errand.Figure{Title: q.Sheet, Data: data}}, err
}

// sheet shows images with their names or classes.
func sheet(title string, refs *images.Set, perLine int) (image.Image, error) {
	s := figures.Sheet{Title: title, Size: refs.Size, PerLine: perLine, Columns: refs.Titles(), Rows: []figures.Row{{Pixels: refs.Pixels}}}
	return s.Render()
}

func encoded(m image.Image) ([]byte, error) {
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		return nil, fmt.Errorf("desk: %w", err)
	}
	return b.Bytes(), nil
}

func render(f *figures.Figure, as errand.Format) (*errand.Figure, error) {
	dpi := as.DPI
	if dpi == 0 {
		dpi = figures.Inline
	}
	data, err := f.Encode(as.Kind, dpi)
	if err != nil {
		return nil, err
	}
	return &errand.Figure{Name: f.Name, Title: f.Title, Caption: f.Caption, Data: data}, nil
}
