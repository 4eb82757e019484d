package figures_test

import (
	"bytes"
	"fmt"
	"image"
	_ "image/png"
	"math"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/figures"
	"github.com/ensemble-metamers/metamers/metamerkit/figures/figurestest"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/paths/pathstest"
)

// The SVG and the PDF of each figure, drawn by programs of others, look like its PNG.
func TestVectorsLookAlike(t *testing.T) {
	const dpi = 100
	draw := map[string]func(t *testing.T, file string, w, h int) []byte{
		"svg": func(t *testing.T, file string, w, h int) []byte {
			return rasterise(t, "rsvg-convert", "-w", fmt.Sprint(w), "-h", fmt.Sprint(h), file)
		},
		"pdf": func(t *testing.T, file string, w, h int) []byte {
			return rasterise(t, "pdftocairo", "-png", "-singlefile", "-scale-to-x", fmt.Sprint(w), "-scale-to-y", fmt.Sprint(h), file, "-")
		},
	}
	s := figurestest.Study()
	refs, runs := figurestest.Runs(s.Sets...)
	all := map[string]func() (*figures.Figure, error){
		"overview":        func() (*figures.Figure, error) { return figures.Overview(s, refs, runs[len(runs)-1]) },
		"gallery":         func() (*figures.Figure, error) { return figures.Gallery(s, refs, nil, runs...) },
		"recognizability": func() (*figures.Figure, error) { return figures.Recognizability(s) },
		"quality":         func() (*figures.Figure, error) { return figures.Quality(s, figures.Metrics, nil) },
		"divergence":      func() (*figures.Figure, error) { return figures.Divergence(s, metamer.JSD, nil) },
	}
	for name, make := range all {
		f, err := make()
		if err != nil {
			t.Fatal(err)
		}
		data, err := f.PNG(dpi)
		if err != nil {
			t.Fatal(err)
		}
		want := grid(t, data)
		for format, with := range draw {
			t.Run(name+"."+format, func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "f."+format)
				if err := f.Save(file, 0); err != nil {
					t.Fatal(err)
				}
				got := grid(t, with(t, file, want.w, want.h))
				if got.w != want.w || got.h != want.h {
					t.Fatalf("%d×%d pixels, expected %d×%d", got.w, got.h, want.w, want.h)
				}
				worst := 0.0
				for i, v := range want.means {
					worst = max(worst, math.Abs(v-got.means[i]))
				}
				t.Logf("largest difference of a square of 8×8 pixels: %.0f of 255", worst)
				if worst > 40 {
					t.Errorf("squares of 8×8 pixels differ from the PNG's by up to %.0f of 255, expected at most 40", worst)
				}
			})
		}
	}
}

// rasterise gives what a program prints, and skips where there is none.
func rasterise(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		pathstest.Missing(t, "%v (packages librsvg2-bin and poppler-utils)", err)
	}
	var errs bytes.Buffer
	c := exec.Command(path, args...)
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", name, err, errs.String())
	}
	return out
}

type means struct {
	w, h  int // pixels
	means []float64
}

// grid gives the mean of red, green and blue of each square of 8×8 pixels.
func grid(t *testing.T, data []byte) means {
	t.Helper()
	img, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	b := img.Bounds()
	m := means{w: b.Dx(), h: b.Dy()}
	for y := b.Min.Y; y+8 <= b.Max.Y; y += 8 {
		for x := b.Min.X; x+8 <= b.Max.X; x += 8 {
			var sum [3]float64
			for dy := range 8 {
				for dx := range 8 {
					r, g, b, _ := img.At(x+dx, y+dy).RGBA()
					sum[0], sum[1], sum[2] = sum[0]+float64(r>>8), sum[1]+float64(g>>8), sum[2]+float64(b>>8)
				}
			}
			for _, v := range sum {
				m.means = append(m.means, v/64)
			}
		}
	}
	return m
}
