package onnx_test

import (
	"math"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// plain is the card of a graph that reads pixels as they are.
func plain(size int) *card.Card {
	in := card.Input{Size: size, Std: [3]float64{1, 1, 1}}
	return &card.Card{Name: "test", Family: "onnx", Input: in}
}

// read returns a tensor of a golden file.
func read(t *testing.T, f *weights.File, name string) *weights.Tensor {
	t.Helper()
	if f.Tensors[name] == nil {
		t.Fatalf("%s has no tensor %s", f.Path, name)
	}
	return f.Tensors[name]
}

// run taps one layer of a net for images [B,S,S,3] and returns the activation, a
// number per image made from it by measure, and its image gradient.
func run(t *testing.T, b *backend.Backend, net *zoo.Net, in card.Input, images *weights.Tensor, layer string, o stage.Options, measure func(a *Node) *Node) (value, loss, gradient []float32) {
	t.Helper()
	paths, _, err := net.Reads(in, layer)
	if err != nil {
		t.Fatal(err)
	}
	store, err := zoo.NewStore(net.Weights, paths)
	if err != nil {
		t.Fatal(err)
	}
	err = exceptions.TryCatch[error](func() {
		g := NewGraph(b.Compute, layer)
		x := Parameter(g, "images", shapes.Make(dtypes.Float32, images.Shape...))
		args := []any{tensors.FromFlatDataAndDimensions(images.Float, images.Shape...)}
		for _, p := range paths {
			store.GetVariable(p).NodeValue(g)
			args = append(args, net.Weights[p])
		}
		a := net.Tap(store.RootScope(), in, x, o, layer)[0]
		m := measure(a)
		d := Gradient(ReduceAllSum(m), x)[0]
		if err := g.Compile(a, m, d); err != nil {
			panic(err)
		}
		out := g.Run(args...)
		value, loss, gradient = tensors.MustCopyFlatData[float32](out[0]), tensors.MustCopyFlatData[float32](out[1]), tensors.MustCopyFlatData[float32](out[2])
	})
	if err != nil {
		t.Fatalf("layer %s: %v", layer, err)
	}
	return value, loss, gradient
}

// along is Σ a·direction per image.
func along(direction *weights.Tensor) func(a *Node) *Node {
	return func(a *Node) *Node {
		d := ConstTensor(a.Graph(), tensors.FromFlatDataAndDimensions(direction.Float, direction.Shape...))
		n := a.Shape().Dim(0)
		return ReduceSum(Reshape(Mul(a, d), n, -1), 1)
	}
}

// near compares element by element, relative 1e-3 or absolute 1e-4.
func near(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s has %d elements, expected %d", what, len(got), len(want))
		return
	}
	bad, worst := 0, 0.0
	for i := range got {
		d := math.Abs(float64(got[i] - want[i]))
		if !(d <= 1e-4+1e-3*math.Abs(float64(want[i]))) {
			bad++
		}
		worst = max(worst, d)
	}
	if bad > 0 {
		t.Errorf("%s differs at %d of %d elements, by up to %g", what, bad, len(got), worst)
	}
}
