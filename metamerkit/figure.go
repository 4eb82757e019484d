package metamerkit

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// Figure is a drawing that shows itself in a cell and renders as PNG, SVG and PDF.
type Figure struct {
	Name    string // file name without an ending, such as figure3
	Title   string
	Caption string // what is shown, in whole sentences

	png  []byte // as notebooks show it
	draw func(api.Format) (*api.Figure, error)
}

// figure has a figure drawn as notebooks show it.
func figure(name string, draw func(api.Format) (*api.Figure, error)) (*Figure, error) {
	f, err := draw(api.Format{Name: name, Kind: "png"})
	if err != nil {
		return nil, err
	}
	return &Figure{f.Name, f.Title, f.Caption, f.Data, draw}, nil
}

// MIMEBundle shows the figure in a notebook.
func (f *Figure) MIMEBundle() (map[string][]byte, error) {
	return map[string][]byte{"image/png": f.png, "text/plain": []byte(f.Title + ". " + f.Caption)}, nil
}

// dots an inch of a PNG where none are given: sharp on screens that have two pixels a
// point.
const dots = 144

// Encode renders the figure as png, svg or pdf. dpi is the resolution of png, 10 to 2400
// dots an inch; 0 means 144.
func (f *Figure) Encode(format string, dpi int) ([]byte, error) {
	if dpi == 0 {
		dpi = dots
	}
	r, err := f.draw(api.Format{Name: f.Name, Kind: format, DPI: dpi})
	if err != nil {
		return nil, err
	}
	return r.Data, nil
}

// PNG renders the figure with a resolution in dots an inch; 0 means 144.
func (f *Figure) PNG(dpi int) ([]byte, error) { return f.Encode("png", dpi) }

// SVG renders the figure with its text as outlines.
func (f *Figure) SVG() ([]byte, error) { return f.Encode("svg", 0) }

// PDF renders the figure as a page of its own size.
func (f *Figure) PDF() ([]byte, error) { return f.Encode("pdf", 0) }

// Save writes the figure in the format of path's ending: .png, .svg or .pdf. dpi is as in
// Encode. If it fails, it leaves no file at path.
func (f *Figure) Save(path string, dpi int) error {
	data, err := f.Encode(strings.TrimPrefix(filepath.Ext(path), "."), dpi)
	if err != nil {
		return err
	}
	if err := paths.WriteBytes(path, data); err != nil {
		return fmt.Errorf("metamerkit: %w", err)
	}
	return nil
}
