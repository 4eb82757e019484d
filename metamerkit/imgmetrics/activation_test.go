package imgmetrics

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
	"github.com/ensemble-metamers/metamers/metamerkit/paths/pathstest"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
	_ "github.com/ensemble-metamers/metamers/metamerkit/zoo/all"
)

// The distance of two images is that of the activations that PyTorch computed for
// them (testdata/scripts/golden.py); two models in one runner keep their weights
// apart.
func TestActivationDistance(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		var metrics []Metric
		var want []float64
		var images []float32
		for _, name := range []string{"resnet20_cifar10", "resnet56_cifar10"} {
			c, err := zoo.Lookup(name)
			if err != nil {
				t.Fatal(err)
			}
			path, err := paths.Find("weights/" + c.Weights.File)
			if err != nil {
				pathstest.Missing(t, "no weights of %s: %v", name, err)
			}
			net, err := zoo.Open(c, path)
			if err != nil {
				t.Fatal(err)
			}
			m, err := ActivationDistance(c, net)
			if err != nil {
				t.Fatal(err)
			}
			metrics = append(metrics, m)
			f, err := weights.Open(filepath.Join("..", "..", "testdata", "golden", name+".safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			sum := 0.0
			for _, s := range metamer.Stages {
				a := f.Tensors["activation."+s]
				sum += distanceOfTwo(a.Float, a.Shape[len(a.Shape)-1])
			}
			want = append(want, sum/float64(len(metamer.Stages)))
			images = f.Tensors["images"].Float
		}
		r, err := NewRunner(b.Compute, metrics...)
		if err != nil {
			t.Fatal(err)
		}
		half := len(images) / 2
		swapped := append(append([]float32{}, images[half:]...), images[half:]...)
		values, err := r.Measure(images, swapped, 32, 32)
		if err != nil {
			t.Fatal(err)
		}
		for j, m := range metrics {
			if d := math.Abs(values[0][j].V - want[j]); !(d <= 1e-4*want[j]) {
				t.Errorf("%s = %v, from PyTorch's activations %v", m.Name, values[0][j], want[j])
			}
			if !(values[1][j].V <= 1e-12) { // the two halves of a batch need not round alike
				t.Errorf("%s of equal images = %v", m.Name, values[1][j])
			}
		}
	})
}

// distanceOfTwo is LPIPS's formula without weights for two images' activations.
func distanceOfTwo(a []float32, channels int) float64 {
	half := len(a) / 2
	sum := 0.0
	for p := 0; p < half; p += channels {
		var n [2]float64
		for i := range 2 {
			for _, v := range a[i*half+p : i*half+p+channels] {
				n[i] += float64(v) * float64(v)
			}
			n[i] = math.Sqrt(n[i]) + 1e-10
		}
		for c := range channels {
			d := float64(a[p+c])/n[0] - float64(a[half+p+c])/n[1]
			sum += d * d
		}
	}
	return sum / float64(half/channels)
}
