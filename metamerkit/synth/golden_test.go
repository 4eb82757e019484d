package synth

import (
	"context"
	"math"
	"os"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
	"github.com/ensemble-metamers/metamers/metamerkit/paths/pathstest"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
	_ "github.com/ensemble-metamers/metamers/metamerkit/zoo/all"
)

// tappedModel opens a model whose weights are not in the repository, or skips.
func tappedModel(t testing.TB, name, stage string) TappedModel {
	t.Helper()
	c, err := zoo.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("METAMERS_DATA") == "" {
		t.Setenv("METAMERS_DATA", "../../../shared/data")
	}
	path, err := paths.Find("weights/" + c.Weights.File)
	if err != nil {
		pathstest.Missing(t, "no weights of %s here: %v", name, err)
	}
	net, err := zoo.Open(c, path)
	if err != nil {
		t.Fatal(err)
	}
	return TappedModel{Card: c, Net: net, Layer: zoo.LayerOf(c, stage)}
}

func golden(t testing.TB, name string) map[string]*weights.Tensor {
	t.Helper()
	f, err := weights.Open("../../testdata/golden/" + name + ".safetensors")
	if err != nil {
		t.Fatal(err)
	}
	return f.Tensors
}

// near reports the largest |got−want| − 1e-3·|want|, which has to stay below abs.
func near(t *testing.T, what string, got, want []float32, abs float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, expected %d", what, len(got), len(want))
	}
	worst, at, diff, norm := 0.0, 0, 0.0, 0.0
	for i := range got {
		diff += math.Pow(float64(got[i])-float64(want[i]), 2)
		norm += math.Pow(float64(want[i]), 2)
		if d := math.Abs(float64(got[i])-float64(want[i])) - 1e-3*math.Abs(float64(want[i])); !(d <= worst) {
			worst, at = d, i
		}
	}
	if !(math.Sqrt(diff) <= 1e-3*math.Sqrt(norm)) {
		t.Errorf("%s: relative L2 error %.2g", what, math.Sqrt(diff/norm))
	}
	if !(worst <= abs) {
		t.Errorf("%s[%d] = %v, expected %v (abs %g)", what, at, got[at], want[at], abs)
	}
}

// Activations, losses and image gradients agree with PyTorch on the same weights.
func TestGolden(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		for _, name := range []string{"resnet20_cifar10", "resnet56_cifar10", "resnet2b", "resnet4b", "vit_pgd_2_3_16"} {
			t.Run(name, func(t *testing.T) {
				g := golden(t, name)
				for _, stage := range metamer.Stages {
					s := tappedModel(t, name, stage)
					p, err := NewProbe(b.Compute, s.Card, s.Net, 2, 32, s.Layer, "logits")
					if err != nil {
						t.Fatal(err)
					}
					acts, err := p.Read(g["images"].Float)
					if err != nil {
						t.Fatal(err)
					}
					near(t, stage+" activation", append(acts[0][0], acts[0][1]...), g["activation."+stage].Float, 1e-4)
					near(t, "logits", append(acts[1][0], acts[1][1]...), g["logits"].Float, 1e-4)
					for key, plain := range map[string]bool{"gradient.": false, "gradient_plain.": true} {
						sl, err := NewGradients(b.Compute, s, Config{Batch: 2, Size: 32, Loss: "relative-l2", PlainReLU: plain})
						if err != nil {
							t.Fatal(err)
						}
						image := func(k string) *tensors.Tensor {
							return tensors.FromFlatDataAndDimensions(g[k].Float, 2, 32, 32, 3)
						}
						target := tensors.FromFlatDataAndDimensions(g["activation."+stage].Float, g["activation."+stage].Shape...)
						loss, grad, err := sl.At(image("start"), target)
						if err != nil {
							t.Fatal(err)
						}
						near(t, stage+" loss", loss, g["loss."+stage].Float, 1e-4)
						near(t, stage+" "+key, tensors.MustCopyFlatData[float32](grad), g[key+stage].Float, 1e-4)
					}
				}
			})
		}
	})
}

// Steps in one While (as on a GPU) give what single steps give.
func TestLoopEqualsSteps(t *testing.T) {
	b := backendtest.Open(t, backend.XLA)
	s := tappedModel(t, "resnet2b", "middle")
	pix := golden(t, "resnet2b")
	opt := metamer.Optimizer{Name: "momentum", Momentum: 0.9, StepSize: 0.5, Halvings: 4}
	var want []float32
	for _, loops := range []bool{false, true} {
		u, err := newUnit(b.Compute, s, Config{Batch: 2, Size: 32, Loss: "relative-l2", Optimizer: opt, Loops: loops}, false)
		if err != nil {
			t.Fatal(err)
		}
		target, err := u.Target(tensors.FromFlatDataAndDimensions(pix["images"].Float, 2, 32, 32, 3))
		if err != nil {
			t.Fatal(err)
		}
		var coefs []Coefficients
		for i := range 12 {
			coefs = append(coefs, coefficients(metamer.Recipe{Optimizer: opt, Steps: 12}, 32, i))
		}
		st := newState(u.cfg, 1, append([]float32{}, pix["start"].Float...))
		if _, err := u.Steps(context.Background(), st, []bool{true, true}, coefs, target); err != nil {
			t.Fatal(err)
		}
		got := tensors.MustCopyFlatData[float32](st.Images)
		if want == nil {
			want = got
			continue
		}
		worst := 0.0
		for i := range got {
			worst = max(worst, math.Abs(float64(got[i]-want[i])))
		}
		if worst > 1e-5 {
			t.Errorf("12 steps in a loop differ from 12 single ones by %g", worst)
		}
		t.Logf("largest difference %g", worst)
	}
}
