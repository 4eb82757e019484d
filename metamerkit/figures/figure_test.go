package figures_test

import (
	"bytes"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/figures"
	"github.com/ensemble-metamers/metamers/metamerkit/figures/figurestest"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Descents are drawn whatever the losses are, zero and a constant among them.
func TestDescents(t *testing.T) {
	line := func(name string, rows ...[]float64) figures.DescentLine {
		l := figures.DescentLine{Label: name, Loss: rows}
		for i := range rows {
			l.Evaluations = append(l.Evaluations, 2*i+2)
		}
		return l
	}
	f, err := figures.Descents([]figures.Descent{
		{Title: "a, late", Lines: []figures.DescentLine{line("pgd", []float64{1, .8}, []float64{.2, .3}), line("fast", []float64{1, .8}, []float64{1e-6, 0})}},
		{Title: "a, middle", Lines: []figures.DescentLine{line("fast", []float64{1, 1})}},
		{Title: "b, late", Lines: []figures.DescentLine{line("pgd", []float64{.03, .04}, []float64{.02, .05})}},
	}, 2)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := f.PNG(0); err != nil || len(data) < 2000 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	for _, bad := range [][]figures.Descent{nil, {{Title: "nothing", Lines: []figures.DescentLine{{Label: "pgd"}}}}} {
		if _, err := figures.Descents(bad, 1); err == nil {
			t.Errorf("%v is drawn", bad)
		}
	}
}

// Every format holds what it should, and what cannot be drawn leaves no file.
func TestFormats(t *testing.T) {
	f, err := figures.Recognizability(figurestest.Study())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for format, head := range map[string]string{"png": "\x89PNG", "svg": "<?xml", "pdf": "%PDF"} {
		path := filepath.Join(dir, "f."+format)
		if err := f.Save(path, 0); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil || !bytes.HasPrefix(data, []byte(head)) {
			t.Errorf("%s begins with %.8q: %v", format, data, err)
		}
		if format == "svg" {
			if strings.Contains(string(data), "<text") {
				t.Error("the SVG has text that a viewer would set in its own font")
			}
			d := xml.NewDecoder(bytes.NewReader(data))
			for err == nil {
				_, err = d.Token()
			}
			if err != io.EOF {
				t.Errorf("the SVG is no XML: %v", err)
			}
		}
	}
	for _, bad := range []func() error{
		func() error { return f.Save(filepath.Join(dir, "f.gif"), 0) },
		func() error { return f.Save(filepath.Join(dir, "g.png"), 5000) },
		func() error { return f.Save(filepath.Join(dir, "nowhere", "g.png"), 0) },
	} {
		if err := bad(); err == nil {
			t.Error("accepted")
		} else {
			t.Log(err)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 3 {
		t.Errorf("left behind: %v", left)
	}
}

// Rows that lack what a figure shows are an error that says what is missing.
func TestMissing(t *testing.T) {
	s := figurestest.Study()
	s.Rows = s.Rows[:len(figures.Metrics)] // the references' only
	for name, err := range map[string]error{
		"recognizability": second(figures.Recognizability(s)), "divergence": second(figures.Divergence(s, metamer.JSD, nil)), "quality": second(figures.Quality(s, figures.Metrics, nil)),
	} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	refs, runs := figurestest.Runs(s.Sets[0])
	runs[0].Recipe.Images.Count--
	if _, err := figures.Gallery(s, refs, nil, runs...); err == nil {
		t.Error("a run of other images is accepted")
	}
	if _, err := figures.Gallery(s, refs, []int{99}, runs[1:]...); err == nil {
		t.Error("image 99 is accepted")
	}
	if _, err := figures.Overview(s, refs, runs[0]); err == nil {
		t.Error("a run of other images is accepted")
	}
}

func second(_ *figures.Figure, err error) error { return err }
