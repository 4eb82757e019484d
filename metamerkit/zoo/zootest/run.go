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
	err = run(b, net, in, layers, func(g *Graph, tap func(x *Node, pass bool, layers ...string) []*Node) []*Node {
		return tap(Parameter(g, "images", batch(n, in)), false, layers...)
	}, &out, activation{batch(n, in).Dimensions, images})
	return out, err
}

// slope returns the relative L2 losses [n] of start [n,S,S,3] against the target
// and each loss's own gradient by the pixels. A ReLU that ends the layer passes it.
func slope(b *backend.Backend, net *zoo.Net, in card.Input, n int, start []float32, layer string, target activation) (loss, gradient []float32, err error) {
	var out []activation
	err = run(b, net, in, []string{layer}, func(g *Graph, tap func(x *Node, pass bool, layers ...string) []*Node) []*Node {
		x := Parameter(g, "images", batch(n, in))
		want := Parameter(g, "target", shapes.Make(dtypes.Float32, target.shape...))
		loss := relativeL2(tap(x, true, layer)[0], want)
		return []*Node{loss, Gradient(ReduceAllSum(loss), x)[0]}
	}, &out, activation{batch(n, in).Dimensions, start}, target)
	if err != nil {
		return nil, nil, err
	}
	return out[0].flat, out[1].flat, nil
}

// everything is read and slope of three layers and the logits in one graph, which
// XLA compiles in less time than four: the activations of images [n,S,S,3] at the
// layers and logits, and for each layer losses and gradients of start against them.
func everything(b *backend.Backend, net *zoo.Net, in card.Input, n int, images, start []float32, layers []string) (acts []activation, losses, gradients [][]float32, err error) {
	var out []activation
	shape := batch(n, in)
	err = run(b, net, in, append(layers, "logits"), func(g *Graph, tap func(x *Node, pass bool, layers ...string) []*Node) (nodes []*Node) {
		x, y := Parameter(g, "images", shape), Parameter(g, "start", shape)
		nodes = tap(x, false, append(layers, "logits")...)
		for i, layer := range layers {
			loss := relativeL2(tap(y, true, layer)[0], StopGradient(nodes[i]))
			nodes = append(nodes, loss, Gradient(ReduceAllSum(loss), y)[0])
		}
		return nodes
	}, &out, activation{shape.Dimensions, images}, activation{shape.Dimensions, start})
	if err != nil {
		return nil, nil, nil, err
	}
	acts = out[:len(layers)+1]
	for i := range layers {
		losses, gradients = append(losses, out[len(acts)+2*i].flat), append(gradients, out[len(acts)+2*i+1].flat)
	}
	return acts, losses, gradients, nil
}

// relativeL2 is ‖a−t‖/‖t‖ for each image [n].
func relativeL2(a, t *Node) *Node {
	n := a.Shape().Dim(0)
	norm := func(x *Node) *Node { return Sqrt(ReduceSum(Square(Reshape(x, n, -1)), 1)) }
	return Div(norm(Sub(a, t)), norm(t))
}

func batch(n int, in card.Input) shapes.Shape {
	return shapes.Make(dtypes.Float32, n, in.Size, in.Size, 3)
}

// run draws a graph that taps layers of a net, and executes it once. draw makes a
// parameter for each of args, then taps.
func run(b *backend.Backend, net *zoo.Net, in card.Input, layers []string, draw func(g *Graph, tap func(x *Node, pass bool, layers ...string) []*Node) []*Node, out *[]activation, args ...activation) error {
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
		read := false
		nodes := draw(g, func(x *Node, pass bool, layers ...string) []*Node {
			for _, p := range paths {
				if !read {
					store.GetVariable(p).NodeValue(g)
					inputs = append(inputs, net.Weights[p])
				}
			}
			read = true
			return net.Tap(store.RootScope(), in, x, stage.Options{PassReLU: pass}, layers...)
		})
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
