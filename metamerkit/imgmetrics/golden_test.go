package imgmetrics

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// goldenDir is written by testdata/scripts/metrics_golden.py.
var goldenDir = filepath.Join("..", "..", "testdata", "golden", "metrics")

type golden struct {
	Name, Reference string
	H, W            int
	Mean            float64 // of the levels: tells a wrong image from a wrong metric
	Values          map[string]*float64
	Features        []*float64 // BRISQUE's
}

func readGolden(t *testing.T) (out []golden) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(goldenDir, "values.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	if len(out) < 20 {
		t.Fatalf("%d images in values.json, expected at least 20", len(out))
	}
	return out
}

// tolerance of a value, absolute or relative to it, whichever is larger, as
// docs/metrics.md states it.
var tolerance = map[string]struct{ abs, rel float64 }{
	"tv": {0, 1e-9}, "noise": {1e-12, 1e-9}, "sharpness": {0, 1e-9}, "spectral-slope": {1e-9, 1e-9}, "colourfulness": {0, 1e-9},
	"entropy": {1e-12, 0}, "saturated": {1e-15, 0}, "brightness": {0, 1e-9}, "contrast": {0, 1e-9},
	"piqe": {1e-4, 0}, "niqe": {2e-3, 0}, "niqe-photos": {2e-3, 0}, "brisque": {1e-4, 0}, "brisque-photos": {1e-3, 0},
	"psnr": {1e-9, 0}, "ssim": {1e-9, 0}, "ms-ssim": {1e-5, 0},
}

func TestAgreesWithOthers(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		all := readGolden(t)
		metrics := known()
		original, err := LoadBRISQUE(filepath.Join(goldenDir, "allmodel"), "")
		if err != nil {
			t.Fatal(err)
		}
		metrics = append(metrics, BRISQUE(original))
		if path, err := paths.Find("metrics/niqe_image_params.mat"); err != nil {
			t.Logf("not compared: niqe with the original's parameters (%v)", err)
		} else {
			m, err := LoadNIQE(path)
			if err != nil {
				t.Fatal(err)
			}
			metrics = append(metrics, NIQE(m))
		}
		r, err := NewRunner(b.Compute, metrics...)
		if err != nil {
			t.Fatal(err)
		}
		worst, count := map[string]float64{}, map[string]int{}
		for h, group := range bySize(all) {
			var pixels, references []float32
			for _, g := range group {
				pixels, references = append(pixels, picture(t, g.Name, g.Mean)...), append(references, picture(t, g.Reference, -1)...)
			}
			values, err := r.Measure(pixels, references, h, group[0].W)
			if err != nil {
				t.Fatal(err)
			}
			for i, g := range group {
				for j, m := range metrics {
					want, ok := g.Values[m.Name]
					if !ok {
						continue
					}
					got := values[i][j]
					if want == nil {
						if !math.IsNaN(got.V) || got.Why == "" {
							t.Errorf("%s of %s = %v, expected no value and a reason", m.Name, g.Name, got)
						}
						continue
					}
					tol, ok := tolerance[m.Name]
					if !ok {
						t.Fatalf("no tolerance for %s", m.Name)
					}
					d := math.Abs(got.V - *want)
					if !(d <= max(tol.abs, tol.rel*math.Abs(*want))) {
						t.Errorf("%s of %s = %v, %s has %v", m.Name, g.Name, got, m.Agrees, *want)
					}
					worst[m.Name], count[m.Name] = max(worst[m.Name], d), count[m.Name]+1
				}
			}
		}
		for _, m := range metrics {
			t.Logf("%-16s %d images, largest difference %.1e", m.Name, count[m.Name], worst[m.Name])
		}
	})
}

func bySize(all []golden) map[int][]golden {
	groups := map[int][]golden{}
	for _, g := range all {
		groups[g.H] = append(groups[g.H], g)
	}
	return groups
}

// BRISQUE's features agree with pyiqa's one by one.
func TestFeaturesOfBRISQUE(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		var got [][]float64
		m := BRISQUE(&SVR{})
		m.Value = func(stats []float64, h, w int) Value {
			got = append(got, brisqueOf(stats, h, w))
			return Value{}
		}
		r, err := NewRunner(b.Compute, m)
		if err != nil {
			t.Fatal(err)
		}
		worst := 0.0
		for h, group := range bySize(readGolden(t)) {
			var pixels []float32
			for _, g := range group {
				pixels = append(pixels, picture(t, g.Name, g.Mean)...)
			}
			got = nil
			if _, err := r.Measure(pixels, nil, h, group[0].W); err != nil {
				t.Fatal(err)
			}
			for i, g := range group {
				for k, want := range g.Features {
					if want == nil {
						if !math.IsNaN(got[i][k]) {
							t.Errorf("feature %d of %s = %v, pyiqa has none", k, g.Name, got[i][k])
						}
						continue
					}
					d := math.Abs(got[i][k] - *want)
					// A shape is found in a table by steps of 0.001.
					if worst = max(worst, d); !(d <= 1.001e-3) {
						t.Errorf("feature %d of %s = %v, pyiqa has %v", k, g.Name, got[i][k], *want)
					}
				}
			}
		}
		t.Logf("largest difference of a feature %.1e", worst)
	})
}

// picture returns a golden image: a PNG, or one made from it as the script does.
// mean -1: not checked.
func picture(t testing.TB, name string, mean float64) []float32 {
	t.Helper()
	x, _, _ := levels(t, name)
	sum := 0
	out := make([]float32, len(x))
	for i, v := range x {
		sum += v
		out[i] = float32(v) / 255
	}
	if mean >= 0 && math.Abs(float64(sum)/float64(len(x))-mean) > 1e-9 {
		t.Fatalf("the image %s has the mean level %v, the script's has %v", name, float64(sum)/float64(len(x)), mean)
	}
	return out
}

func readPNG(t testing.TB, name string) (x []int, h, w int) {
	t.Helper()
	p, h, w, err := images.Whole(filepath.Join(goldenDir, name+".png"))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range p {
		x = append(x, int(math.Round(float64(v)*255)))
	}
	return x, h, w
}
