package engine

import (
	"context"
	"errors"
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/synth"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

func distortionGolden(t *testing.T) map[string][]float32 {
	t.Helper()
	out := map[string][]float32{}
	for _, name := range []string{"distortions", "carried/images"} {
		f, err := weights.Open("../../testdata/golden/" + name + ".safetensors")
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range f.Tensors {
			out[k] = v.Float
		}
	}
	return out
}

// within fails where got is not within a share of want.
func within(t *testing.T, what string, got, want, share float64) {
	t.Helper()
	t.Logf("%s: %.8g, expected %.8g", what, got, want)
	if !(math.Abs(got-want) <= share*math.Abs(want)) {
		t.Errorf("%s is %.8g, expected %.8g to within %g", what, got, want, share)
	}
}

// gainControl is plenoptic's LuminanceGainControl, of each colour channel.
func gainControl(golden map[string][]float32, size int) *zoo.Net {
	const k = 7
	return &zoo.Net{Weights: map[string]*tensors.Tensor{}, Forward: func(_ *model.Scope, x *Node) *Node {
		batch := x.Shape().Dim(0)
		x = Reshape(TransposeAllAxes(x, 0, 3, 1, 2), -1, size, size, 1)
		for axis := 1; axis <= 2; axis++ { // circular padding
			x = Concatenate([]*Node{SliceAxis(x, axis, AxisRange(size-k/2, size)), x, SliceAxis(x, axis, AxisRange(0, k/2))}, axis)
		}
		filter := func(name string) *Node {
			return Convolve(x, ConstTensor(x.Graph(), tensors.FromFlatDataAndDimensions(golden["plenoptic."+name], k, k, 1, 1))).NoPadding().Done()
		}
		gain := AddScalar(MulScalar(filter("luminance"), float64(golden["plenoptic.scalar"][0])), 1)
		return stage.Mark(Reshape(Log1P(Exp(Div(filter("centre_surround"), gain))), batch, -1), "last")
	}}
}

// Both extreme distortions of a model of plenoptic's are those that its Eigendistortion finds
// by a dense method.
func TestDistortionsPlenoptic(t *testing.T) {
	const size = 12
	golden := distortionGolden(t)
	values := golden["plenoptic.eigenvalues"]
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		e := New(b)
		s := synth.TappedModel{Net: gainControl(golden, size), Layer: "last", Card: &card.Card{Name: "gain control", Input: card.Input{Size: size, Std: [3]float64{1, 1, 1}}}}
		sens, err := synth.NewSensitivity(b.Compute, s, synth.Config{Batch: directionsAtOnce, Size: size})
		if err != nil {
			t.Fatal(err)
		}
		set := &images.Set{Size: size, Names: []string{"noise"}, Pixels: golden["plenoptic.image"]}
		d, err := e.distort(t.Context(), api.Distorting{Images: set}.WithDefaults(), []member{{s, sens, size * size * 3}}, 0)
		if err != nil {
			t.Fatal(err)
		}
		of := d.Members[0]
		within(t, "the largest eigenvalue", math.Pow(of.Largest*of.Norm, 2), float64(values[0]), 1e-4)
		if smallest := float64(values[len(values)-1]); smallest > 1e-15 || d.Least.Eigenvalue > 1e-6 {
			t.Errorf("the smallest eigenvalue is %g of the largest, expected 0, and plenoptic's is %g", d.Least.Eigenvalue, smallest)
		}
		along := 0.0
		for i, v := range golden["plenoptic.most"] {
			along += float64(v) * float64(d.Most.Direction[i])
		}
		within(t, "the product of the first eigenvectors", math.Abs(along), 1, 1e-4)
	})
}

// Of two networks the sensitivities, the direction that both notice most, and the spread of
// the pair that separates them are those of dense matrices in float64.
func TestDistortionsDense(t *testing.T) {
	golden := distortionGolden(t)
	set := &images.Set{Size: 32, Names: []string{"first"}, Pixels: golden["images"][:32*32*3]}
	names := []string{"resnet8_48.mm_c10_linf8", "vit_4_96.mm_c10"}
	e := New(backendtest.Open(t, backend.XLA))
	found, err := e.Distort(t.Context(), api.Distorting{Models: names, Stage: "late", Images: set})
	if err != nil {
		t.Fatal(err)
	}
	d := found[0]
	for k, name := range names {
		within(t, "the largest sensitivity of "+name, d.Members[k].Largest, float64(golden["carried.largest."+name][0]), 1e-4)
	}
	within(t, "the eigenvalue", d.Most.Eigenvalue, float64(golden["carried.eigenvalue"][0]), 1e-4)
	along := 0.0
	for i, v := range golden["carried.most"] {
		along += float64(v) * float64(d.Most.Direction[i])
	}
	within(t, "the product of the first eigenvectors", math.Abs(along), 1, 1e-4)
	within(t, "the spread of the pair", d.Pair.Spread, float64(golden["carried.spread"][0]), 1e-4)
	// 288 activations see no more than 288 of 3072 directions.
	if d.Least.Eigenvalue > 1e-6 {
		t.Errorf("the smallest eigenvalue is %g, expected 0", d.Least.Eigenvalue)
	}
	if !d.Most.Converged || !d.Least.Converged || !d.Pair.Converged {
		t.Errorf("not converged: %v %v %v", d.Most.Converged, d.Least.Converged, d.Pair.Converged)
	}

	// What was found before an interrupt is returned, and the same again has the same bits.
	ctx, cancel := context.WithCancel(t.Context())
	two := &images.Set{Size: 32, Names: []string{"first", "second"}, Pixels: golden["images"][:2*32*32*3]}
	again, err := e.Distort(ctx, api.Distorting{Models: names, Stage: "late", Images: two, Found: func(api.Distortions) error { cancel(); return nil }})
	if !errors.Is(err, context.Canceled) || len(again) != 1 {
		t.Fatalf("%d images, %v", len(again), err)
	}
	for i, v := range again[0].Most.Direction {
		if v != d.Most.Direction[i] {
			t.Fatalf("value %d of the direction is %v, before it was %v", i, v, d.Most.Direction[i])
		}
	}
	if _, err := e.Distort(t.Context(), api.Distorting{Models: names, Stage: "late", Images: set, Floor: 1e-9}); err == nil {
		t.Error("a floor below rounding is taken")
	}
}
