package zootest

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
	_ "github.com/ensemble-metamers/metamers/metamerkit/zoo/all"
)

// Cards of up to few parameters run, and the smallest of each family if it has no
// more than many; the graphs of all are drawn. Larger members run as golden files.
const few, many = 6e6, 65e6

// cards returns the cards whose graph is in this module, and the number of
// parameters of each. The others, whose graph comes with their weights, are
// tested by their own packages.
func cards(t *testing.T) (all []*card.Card, parameters map[string]int) {
	t.Helper()
	parameters = map[string]int{}
	for _, name := range zoo.Names() {
		c, err := zoo.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		forward, err := zoo.Build(c)
		var unknown *metamer.UnknownError
		if errors.As(err, &unknown) && c.Family == "onnx" {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		have, err := zoo.Variables(c, forward)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, c)
		parameters[name] = elements(have)
	}
	return all, parameters
}

func elements(vars map[string]shapes.Shape) (n int) {
	for _, s := range vars {
		n += s.Size()
	}
	return n
}

// TestCards draws every card: its config is read strictly, its stages exist, in
// order, a stage's graph reads and computes no more than it needs, weights are
// frozen, and a gradient by the pixels can be drawn at each stage.
func TestCards(t *testing.T) {
	b := backendtest.Open(t, backend.Go)
	all, _ := cards(t)
	for _, c := range all {
		t.Run(c.Name, func(t *testing.T) {
			strict(t, c)
			forward, err := zoo.Build(c)
			if err != nil {
				t.Fatal(err)
			}
			net := &zoo.Net{Forward: forward}
			layers, err := net.Layers(c.Input)
			if err != nil {
				t.Fatal(err)
			}
			at, before := -1, drawn{}
			for _, s := range metamer.Stages {
				layer := zoo.LayerOf(c, s)
				k := slices.Index(layers, layer)
				if k <= at {
					t.Fatalf("%s is layer %q, number %d of %q: expected it behind number %d", s, layer, k, layers, at)
				}
				at = k
				d := draw(t, b, c, net, layer)
				if d.nodes <= before.nodes {
					t.Errorf("the graph up to %s (%s) has %d nodes, the stage before %d", s, layer, d.nodes, before.nodes)
				}
				for path := range before.reads {
					if !d.reads[path] {
						t.Errorf("the stage before %s reads %s, which %s does not", s, path, s)
					}
				}
				if !d.gradient {
					t.Errorf("%s: the gradient by the pixels is a constant", s)
				}
				for path := range d.created {
					if !d.reads[path] {
						t.Errorf("%s: the graph has a parameter %s that nothing reads", s, path)
					}
				}
				before = d
			}
			if last := draw(t, b, c, net, layers[len(layers)-1]); len(last.reads) <= len(draw(t, b, c, net, zoo.LayerOf(c, "early")).reads) {
				t.Errorf("the early stage reads all %d variables of the model", len(last.reads))
			}
		})
	}
}

// strict holds that a field that the family does not know is refused.
func strict(t *testing.T, c *card.Card) {
	t.Helper()
	fields := map[string]any{}
	if len(c.Config) > 0 {
		if err := json.Unmarshal(c.Config, &fields); err != nil {
			t.Fatal(err)
		}
	}
	fields["no_such_field"] = 1
	wrong := *c
	var err error
	if wrong.Config, err = json.Marshal(fields); err != nil {
		t.Fatal(err)
	}
	if _, err := zoo.Build(&wrong); err == nil {
		t.Error("a config with the field no_such_field was taken")
	}
}

// drawn is what the graph up to a layer holds.
type drawn struct {
	nodes          int
	created, reads map[string]bool // variables of the graph; those that the activation depends on
	gradient       bool            // the gradient by the pixels depends on pixels or weights
}

// draw draws the net up to a layer and its gradient, without computing anything.
func draw(t *testing.T, b *backend.Backend, c *card.Card, net *zoo.Net, layer string) (d drawn) {
	t.Helper()
	d = drawn{created: map[string]bool{}, reads: map[string]bool{}}
	err := exceptions.TryCatch[error](func() {
		store, g := model.NewStore(), NewGraph(b.Compute, c.Name)
		defer g.Finalize()
		x := Parameter(g, "images", shapes.Make(dtypes.Float32, 1, c.Input.Size, c.Input.Size, 3))
		a := net.Tap(store.RootScope(), c.Input, x, stage.Options{PassReLU: true}, layer)[0]
		d.nodes = len(g.Nodes())
		behind := ancestors(a)
		if !behind[x] {
			t.Errorf("layer %s does not depend on the pixels", layer)
		}
		for v := range store.IterVariables() {
			if v.Trainable {
				t.Errorf("%s is trainable", v.Path())
			}
			d.created[v.Path()] = true
			if behind[v.NodeValue(g)] {
				d.reads[v.Path()] = true
			}
		}
		for n := range ancestors(Gradient(ReduceAllSum(Square(a)), x)[0]) {
			d.gradient = d.gradient || n.Type() == NodeTypeParameter
		}
	})
	if err != nil {
		t.Fatalf("layer %s: %v", layer, err)
	}
	return d
}

// ancestors returns a node and all that it is computed from.
func ancestors(n *Node) map[*Node]bool {
	seen, todo := map[*Node]bool{n: true}, []*Node{n}
	for len(todo) > 0 {
		n, todo = todo[len(todo)-1], todo[:len(todo)-1]
		for _, in := range n.Inputs() {
			if !seen[in] {
				seen[in] = true
				todo = append(todo, in)
			}
		}
	}
	return seen
}

// TestCardsRun runs cards with weights by the formula, at 64² where the card's
// parameters do not depend on the size (else one member a family, on XLA): gradients of the early and the late stage
// reach the pixels of every image, and an image's activations and gradients are its
// own, whoever is beside it in the batch.
func TestCardsRun(t *testing.T) {
	all, parameters := cards(t)
	slices.SortStableFunc(all, func(a, b *card.Card) int { return cmp.Compare(parameters[a.Name], parameters[b.Name]) })
	ran, configs := map[string]int{}, map[string]bool{}
	for _, c := range all {
		n := parameters[c.Name]
		first := ran[c.Family] == 0
		if n > many || !first && (n > few || testing.Short()) || configs[c.Family+string(c.Config)] {
			continue
		}
		run, kind := small(t, c), backend.Go
		if run.Input.Size > 64 {
			if kind = backend.XLA; !first {
				continue
			}
		}
		ran[c.Family]++
		configs[c.Family+string(c.Config)] = true
		t.Run(c.Name, func(t *testing.T) { independent(t, backendtest.Open(t, kind), run) })
	}
	if len(ran) < 5 {
		t.Errorf("only families %v ran", slices.Sorted(maps.Keys(ran)))
	}
}

// small returns the card with images of 64² if that leaves its parameters alone.
func small(t *testing.T, c *card.Card) *card.Card {
	t.Helper()
	s := *c
	s.Input.Size = 64
	forward, err := zoo.Build(c)
	if err != nil {
		t.Fatal(err)
	}
	full, err := zoo.Variables(c, forward)
	if err != nil {
		t.Fatal(err)
	}
	less, err := zoo.Variables(&s, forward)
	if c.Input.Size <= 64 || err != nil || !maps.EqualFunc(full, less, shapes.Shape.Equal) {
		return c
	}
	return &s
}

func independent(t *testing.T, b *backend.Backend, c *card.Card) {
	depthwise := 1.0
	if strings.Contains(string(c.Config), `"variant": "lite"`) || strings.Contains(string(c.Config), `"variant": "mobilenetv2"`) {
		depthwise = .45 // without squeeze-and-excitation activations grow, until rounding switches units of ReLU6
	}
	net, size := Open(t, c, depthwise), c.Input.Size
	images, start := pixels(size)
	half := size * size * 3
	swap := func(v []float32) []float32 { return append(slices.Clone(v[half:]), v[:half]...) }
	for _, s := range []string{"early", "late"} {
		layer := zoo.LayerOf(c, s)
		a, err := read(b, net, c.Input, 2, images, layer)
		if err != nil {
			t.Fatal(err)
		}
		other, err := read(b, net, c.Input, 2, append(slices.Clone(images[:half]), start[half:]...), layer)
		if err != nil {
			t.Fatal(err)
		}
		one := len(a[0].flat) / 2
		same(t, s+": activation of the first image beside another", other[0].flat[:one], a[0].flat[:one], 1e-5)
		if slices.Equal(a[0].flat[:one], a[0].flat[one:]) {
			t.Errorf("%s: two images have the same activation", s)
		}
		_, g, err := slope(b, net, c.Input, 2, start, layer, a[0])
		if err != nil {
			t.Fatal(err)
		}
		// Gradients vanish in deep networks with such weights, and then rounding shows.
		swapped := activation{a[0].shape, append(slices.Clone(a[0].flat[one:]), a[0].flat[:one]...)}
		_, h, err := slope(b, net, c.Input, 2, swap(start), layer, swapped)
		if err != nil {
			t.Fatal(err)
		}
		same(t, s+": gradients in the other order", swap(h), g, 1e-3)
		for i := range 2 {
			largest := 0.0
			for _, v := range g[i*half : (i+1)*half] {
				largest = max(largest, math.Abs(float64(v)))
			}
			if !(largest > 1e-8) || math.IsInf(largest, 0) {
				t.Errorf("%s: the largest element of image %d's gradient is %g", s, i, largest)
			}
		}
	}
}

// same holds two computations of the same numbers together, up to a share of the
// largest.
func same(t *testing.T, what string, got, want []float32, share float64) {
	t.Helper()
	largest, worst := 0.0, 0.0
	for i := range want {
		largest = max(largest, math.Abs(float64(want[i])))
		if d := math.Abs(float64(got[i]) - float64(want[i])); !(d <= worst) {
			worst = d
		}
	}
	if !(worst <= share*largest) {
		t.Errorf("%s differ by %g of %g", what, worst, largest)
	}
}
