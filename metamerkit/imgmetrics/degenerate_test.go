package imgmetrics

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

func constant(n int, v float32) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = v
	}
	return out
}

// What a metric gives for images without structure: a value, or none for a reason.
func TestConstantImages(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		r, err := NewRunner(b.Compute, known()...)
		if err != nil {
			t.Fatal(err)
		}
		const side = 192
		per := side * side * 3
		grey, black, white := constant(per, 0.5), constant(per, 0), constant(per, 1)
		values, err := r.Measure(append(append(append([]float32{}, grey...), black...), white...), constant(3*per, 0.25), side, side)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string][3]float64{
			"tv": {}, "noise": {}, "sharpness": {}, "colourfulness": {}, "entropy": {}, "contrast": {},
			"piqe": {100, 100, 100}, "saturated": {0, 1, 1}, "brightness": {.5, 0, 1}, "psnr": {-20 * math.Log10(.25), -20 * math.Log10(.25), -20 * math.Log10(.75)},
		}
		for j, m := range r.Metrics {
			for i := range 3 {
				v := values[i][j]
				expected, ok := want[m.Name]
				switch {
				case m.Name == "ssim" || m.Name == "ms-ssim":
					if !(v.V >= 0 && v.V < 1) || v.Why != "" {
						t.Errorf("%s of constant image %d = %v", m.Name, i, v)
					}
				case ok && !(math.Abs(v.V-expected[i]) <= 1e-9):
					t.Errorf("%s of constant image %d = %v, expected %v", m.Name, i, v, expected[i])
				case !ok && (!math.IsNaN(v.V) || v.Why == ""):
					t.Errorf("%s of constant image %d = %v, expected no value and a reason", m.Name, i, v)
				}
			}
		}
	})
}

// A bad pixel takes the values of its own image only.
func TestBadPixels(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		r, err := NewRunner(b.Compute, known()...)
		if err != nil {
			t.Fatal(err)
		}
		const side = 32
		per := side * side * 3
		x := make([]float32, 5*per)
		for i := range x {
			x[i] = float32(splitmix(uint64(i%per))>>40) / (1 << 24)
		}
		refs := append([]float32{}, x...)
		x[per+7] = float32(math.NaN())
		x[2*per+7] = float32(math.Inf(-1))
		x[3*per+7] = 255
		refs[4*per] = float32(math.NaN())
		values, err := r.Measure(x, refs, side, side)
		if err != nil {
			t.Fatal(err)
		}
		for j, m := range r.Metrics {
			if v := values[0][j]; math.IsNaN(v.V) && m.Defined == nil {
				t.Errorf("%s of the good image = %v", m.Name, v)
			}
			for i, word := range []string{"", "NaN", "infinite", "255", "reference"} {
				if v := values[i][j]; i > 0 && (!math.IsNaN(v.V) || !strings.Contains(v.Why, word)) {
					t.Errorf("%s of bad image %d = %v, expected no value because of %q", m.Name, i, v, word)
				}
			}
		}
		if v := values[0][index(t, r, "psnr")]; !math.IsInf(v.V, 1) || v.Why == "" {
			t.Errorf("psnr of equal images = %v, expected +Inf with a reason", v)
		}
	})
}

func index(t *testing.T, r *Runner, name string) int {
	t.Helper()
	for i, m := range r.Metrics {
		if m.Name == name {
			return i
		}
	}
	t.Fatalf("no metric %s", name)
	return -1
}

// Small images have the values that have a meaning; all others say what they need.
func TestSmallImages(t *testing.T) {
	b := backendtest.Open(t, backend.Go) // XLA takes seconds to compile for each size
	for _, c := range []struct {
		h, w int
		none string // the metrics without a value
	}{
		{1, 1, "noise spectral-slope piqe niqe-photos brisque-photos ssim ms-ssim"},
		{1, 40, "noise spectral-slope piqe niqe-photos brisque-photos ssim ms-ssim"},
		{17, 33, "niqe-photos ms-ssim"},
		{32, 32, "niqe-photos ms-ssim"}, // CIFAR
		{96, 191, "niqe-photos ms-ssim"},
		{96, 193, "ms-ssim"},
	} {
		r, err := NewRunner(b.Compute, known()...)
		if err != nil {
			t.Fatal(err)
		}
		x := make([]float32, c.h*c.w*3)
		for i := range x {
			x[i] = float32(splitmix(uint64(i))>>40) / (1 << 24)
		}
		values, err := r.Measure(x, constant(len(x), .5), c.h, c.w)
		if err != nil {
			t.Fatal(err)
		}
		for j, m := range r.Metrics {
			v := values[0][j]
			none := strings.Contains(" "+c.none+" ", " "+m.Name+" ")
			if math.IsNaN(v.V) != none || none != (v.Why != "") {
				t.Errorf("%s of %d×%d pixels = %v", m.Name, c.w, c.h, v)
			}
		}
	}
}

func TestErrors(t *testing.T) {
	b := backendtest.Open(t, backend.Go)
	_, err := Lookup("tv", "colorfulness")
	var unknown *metamer.UnknownError
	if !errors.As(err, &unknown) || len(unknown.Nearest) == 0 || unknown.Nearest[0] != "colourfulness" {
		t.Errorf("Lookup of colorfulness: %v", err)
	}
	if _, err := Lookup("niqe"); err == nil || !strings.Contains(err.Error(), "niqe-photos") {
		t.Errorf("Lookup of niqe: %v", err)
	}
	if _, err := NewRunner(b.Compute); err == nil {
		t.Error("a runner without metrics")
	}
	if _, err := NewRunner(b.Compute, totalVariation, totalVariation); err == nil {
		t.Error("a runner with a metric twice")
	}
	r, err := NewRunner(b.Compute, psnr)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ images, references, h, w int }{{0, 0, 2, 2}, {11, 11, 2, 2}, {12, 0, 2, 2}, {12, 24, 2, 2}, {12, 12, 0, 2}} {
		if _, err := r.Measure(make([]float32, c.images), make([]float32, c.references), c.h, c.w); err == nil {
			t.Errorf("no error for %+v", c)
		}
	}
}

// The value of an image does not depend on its batch.
func TestBatches(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		const side, n = 24, 7
		x := make([]float32, n*side*side*3)
		for i := range x {
			x[i] = float32(splitmix(uint64(i))>>40) / (1 << 24)
		}
		var first [][]Value
		for _, batch := range []int{0, 3} {
			r, err := NewRunner(b.Compute, Blind()...)
			if err != nil {
				t.Fatal(err)
			}
			r.Batch = batch
			values, err := r.Measure(x, nil, side, side)
			if err != nil {
				t.Fatal(err)
			}
			if len(values) != n || len(r.programs) != 1 {
				t.Fatalf("%d values and %d programs, expected %d and 1", len(values), len(r.programs), n)
			}
			if first == nil {
				first = values
			}
			for i := range values {
				for j := range values[i] {
					if d := math.Abs(values[i][j].V - first[i][j].V); d > 1e-9 {
						t.Errorf("%s of image %d differs by %g in batches of %d", r.Metrics[j].Name, i, d, batch)
					}
				}
			}
			rows := r.Rows(metamer.Row{Run: "r"}, 10, values)
			if len(rows) != n*len(r.Metrics) || rows[len(r.Metrics)].Image != 11 || rows[0].Measure != r.Metrics[0].Name || rows[0].Run != "r" {
				t.Errorf("rows: %+v …", rows[0])
			}
		}
	})
}

func TestMetricsAreDescribed(t *testing.T) {
	for _, m := range known() {
		if m.Title == "" || m.Cite == "" || m.Agrees == "" || m.Better == "" {
			t.Errorf("%s lacks a title, source, reference implementation or direction: %+v", m.Name, m)
		}
	}
}
