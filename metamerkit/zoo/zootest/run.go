package zootest

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// activation is what a layer gives for a batch: elements in C order.
type activation struct {
	shape []int
	flat  []float32
}

// read returns the activations of the layers for images [n,S,S,3].
func read(b *backend.Backend, net *zoo.Net, in card.Input, n int, images []float32, layers ...string) (out []activation, err error) {
	err = run(b, net, in, layers, func(g *Graph, tap func(x *Node, pass bool) []*Node) []*Node {
		return tap(Parameter(g, "images", batch(n, in)), false)
	}, &out, activation{batch(n, in).Dimensions, images})
	return out, err
}

// slope returns the relative L2 losses [n] of start [n,S,S,3] against the target
// and each loss's own gradient by the pixels. A ReLU that ends the layer passes it.
func slope(b *backend.Backend, net *zoo.Net, in card.Input, n int, start []float32, layer string, target activation) (loss, gradient []float32, err error) {
	var out []activation
	err = run(b, net, in, []string{layer}, func(g *Graph, tap func(x *Node, pass bool) []*Node) []*Node {
		x := Parameter(g, "images", batch(n, in))
		want := Reshape(Parameter(g, "target", shapes.Make(dtypes.Float32, target.shape...)), n, -1)
		a := Reshape(tap(x, true)[0], n, -1)
		norm := func(x *Node) *Node { return Sqrt(ReduceSum(Square(x), 1)) }
		loss := Div(norm(Sub(a, want)), norm(want))
		return []*Node{loss, Gradient(ReduceAllSum(loss), x)[0]}
	}, &out, activation{batch(n, in).Dimensions, start}, target)
	if err != nil {
		return nil, nil, err
	}
	return out[0].flat, out[1].flat, nil
}

func batch(n int, in card.Input) shapes.Shape {
	return shapes.Make(dtypes.Float32, n, in.Size, in.Size, 3)
}

// run draws a graph that taps layers of a net, and executes it once. draw makes a
// parameter for each of args, then taps.
func run(b *backend.Backend, net *zoo.Net, in card.Input, layers []string, draw func(g *Graph, tap func(x *Node, pass bool) []*Node) []*Node, out *[]activation, args ...activation) error {
	paths, _, err := net.Reads(in, layers...)
	if err != nil {
		return err
	}
	store, err := zoo.NewStore(net.Weights, paths)
	if err != nil {
		return err
	}
	return exceptions.TryCatch[error](func() {
		g := NewGraph(b.Compute, "zootest")
		var inputs []any
		for _, a := range args {
			inputs = append(inputs, tensors.FromFlatDataAndDimensions(a.flat, a.shape...))
		}
		nodes := draw(g, func(x *Node, pass bool) []*Node {
			for _, p := range paths {
				store.GetVariable(p).NodeValue(g)
				inputs = append(inputs, net.Weights[p])
			}
			return net.Tap(store.RootScope(), in, x, stage.Options{PassReLU: pass}, layers...)
		})
		for i := range nodes {
			nodes[i] = MulScalar(nodes[i], 1) // behind the last variable: docs/upstream.md
		}
		if err := g.Compile(nodes...); err != nil {
			panic(err)
		}
		for _, t := range g.Run(inputs...) {
			*out = append(*out, activation{t.Shape().Dimensions, tensors.MustCopyFlatData[float32](t)})
			t.MustFinalizeAll()
		}
		g.Finalize()
	})
}
