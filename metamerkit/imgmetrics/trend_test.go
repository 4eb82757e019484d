package imgmetrics

import (
	"math"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// Each metric moves in the direction that it states as noise, blur and JPEG
// compression of photographs grow: the mean of three photographs does so from each
// step to the next. The first step is the photograph itself; a comparison with the
// photograph begins with the second.
func TestTrends(t *testing.T) {
	b := backendtest.Open(t, fastest())
	metrics := known()
	if path, err := paths.Find("metrics/niqe_image_params.mat"); err == nil {
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
	for _, s := range []struct {
		name  string
		trend func(Metric) Trend
		apply func(x []int, h, w, step int) []float32 // step 1 to 3
	}{
		{"noise", func(m Metric) Trend { return m.Noise }, func(x []int, h, w, step int) []float32 {
			return floats(noisy(x, []int{0, 8, 20, 40}[step]))
		}},
		// Not rounded to 8 bits, which adds noise again.
		{"blur", func(m Metric) Trend { return m.Blur }, func(x []int, h, w, step int) []float32 {
			return softened(floats(x), h, w, []int{0, 2, 4, 8}[step])
		}},
		{"jpeg", func(m Metric) Trend { return m.JPEG }, func(x []int, h, w, step int) []float32 {
			return floats(jpegged(t, x, h, w, []int{0, 40, 15, 5}[step]))
		}},
	} {
		const steps = 4
		means := make([][]float64, len(metrics)) // [metric][step]
		for step := range steps {
			var pixels, refs []float32
			for _, name := range []string{"astronaut", "chelsea", "rocket"} {
				x, h, w := levels(t, name)
				shown := floats(x)
				refs = append(refs, shown...)
				if step > 0 {
					shown = s.apply(x, h, w, step)
				}
				pixels = append(pixels, shown...)
			}
			values, err := r.Measure(pixels, refs, 224, 224)
			if err != nil {
				t.Fatal(err)
			}
			for j, m := range metrics {
				if step == 0 && m.Reference {
					continue
				}
				sum := 0.0
				for _, v := range values {
					sum += v[j].V
				}
				means[j] = append(means[j], sum/float64(len(values)))
			}
		}
		for j, m := range metrics {
			rises, falls := true, true
			for k := 1; k < len(means[j]); k++ {
				rises = rises && means[j][k] > means[j][k-1]
				falls = falls && means[j][k] < means[j][k-1]
			}
			switch trend := s.trend(m); {
			case math.IsNaN(means[j][0]):
				t.Errorf("%s has no value under %s", m.Name, s.name)
			case trend == Rises && !rises, trend == Falls && !falls:
				t.Errorf("%s is said to be one that %s with %s, and has the means %.4g", m.Name, trend, s.name, means[j])
			case trend != Rises && trend != Falls && trend != Mixed:
				t.Errorf("%s does not say how it moves with %s", m.Name, s.name)
			case trend == Mixed && (rises || falls):
				t.Logf("%s is said to be mixed with %s, and has the means %.4g", m.Name, s.name, means[j])
			default:
				t.Logf("%s %s with %s: %.4g", m.Name, trend, s.name, means[j])
			}
		}
	}
}

// softened applies a binomial 5×5 window, borders replicated.
func softened(x []float32, h, w, times int) []float32 {
	at := func(x []float32, i, j, c int) float32 { return x[(min(max(i, 0), h-1)*w+min(max(j, 0), w-1))*3+c] }
	for range times {
		for axis := range 2 {
			out := make([]float32, len(x))
			for i := range h {
				for j := range w {
					for c := range 3 {
						var s float32
						for k, weight := range [5]float32{1, 4, 6, 4, 1} {
							if axis == 0 {
								s += weight / 16 * at(x, i+k-2, j, c)
							} else {
								s += weight / 16 * at(x, i, j+k-2, c)
							}
						}
						out[(i*w+j)*3+c] = s
					}
				}
			}
			x = out
		}
	}
	return x
}

func floats(x []int) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = float32(v) / 255
	}
	return out
}

// fastest is XLA where the binary has it.
func fastest() backend.Kind {
	if backend.HasXLA {
		if _, err := backend.FindPlugin(backend.XLA); err == nil {
			return backend.XLA
		}
	}
	return backend.Go
}
