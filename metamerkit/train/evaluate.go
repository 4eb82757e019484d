package train

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// Attack is a white-box attack on a model's own loss (cross-entropy).
type Attack struct {
	Threat
	Steps    int     // gradient steps; 0: random noise of the size epsilon
	Restarts int     // further starts, each image counting when any succeeds; 0 is 1
	StepSize float64 // in pixels of [0,1] (linf) or as an L2 norm; 0: 2.5·epsilon/steps, at most epsilon
	NoStart  bool    // begin at the image itself rather than at a random point
	Seed     uint64
}

// String names the attack, such as "PGD-20 L∞ 8/255, 2 restarts".
func (a Attack) String() string {
	s := fmt.Sprintf("PGD-%d %v", a.Steps, a.Threat)
	switch {
	case a.Norm == "":
		return "none"
	case a.Steps == 0:
		s = fmt.Sprintf("random noise %v", a.Threat)
	case a.Steps == 1 && a.NoStart:
		s = fmt.Sprintf("FGSM %v", a.Threat)
	}
	if a.Restarts > 1 {
		s += fmt.Sprintf(", %d restarts", a.Restarts)
	}
	return s
}

func (a Attack) stepSize() float64 {
	if a.StepSize > 0 {
		return a.StepSize
	}
	return a.Epsilon * min(2.5/float64(max(a.Steps, 1)), 1)
}

// Evaluator measures a model, clean and under attack, on batches of one size. The
// weights are inputs of its graphs, so that one evaluator serves a model through
// its training.
type Evaluator struct {
	card    *card.Card
	forward zoo.Forward
	backend compute.Backend
	batch   int
	size    int
	paths   []string
	graphs  map[string]*Graph
}

// NewEvaluator returns an evaluator for images of the given side.
func NewEvaluator(b compute.Backend, c *card.Card, n *zoo.Net, batch, size int) *Evaluator {
	return &Evaluator{card: c, forward: n.Forward, backend: b, batch: batch, size: size,
		paths: slices.Sorted(maps.Keys(n.Weights)), graphs: map[string]*Graph{}}
}

// graph compiles on first use. draw declares its parameters, then calls logits, by
// which the weights become parameters behind them.
func (e *Evaluator) graph(name string, w map[string]*tensors.Tensor, draw func(g *Graph, logits func(x *Node) *Node) []*Node) (g *Graph, err error) {
	if g = e.graphs[name]; g != nil {
		return g, nil
	}
	err = exceptions.TryCatch[error](func() {
		store, err := zoo.NewStore(w, e.paths)
		if err != nil {
			panic(err)
		}
		g = NewGraph(e.backend, e.card.Name+" "+name)
		declared := false
		out := draw(g, func(x *Node) *Node {
			if !declared { // parameters for the weights, in the order of paths
				for _, p := range e.paths {
					store.GetVariable(p).NodeValue(g)
				}
				declared = true
			}
			return e.forward(store.RootScope(), zoo.Prepare(e.card.Input, x))
		})
		for i := range out { // the Go backend fails on a parameter behind the last output
			out[i] = MulScalar(out[i], 1)
		}
		if err := g.Compile(out...); err != nil {
			panic(err)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("train: compiling %s of %s: %w", name, e.card.Name, err)
	}
	e.graphs[name] = g
	return g, nil
}

func (e *Evaluator) images(g *Graph, name string) *Node {
	return Parameter(g, name, shapes.Make(dtypes.Float32, imageShape(e.batch, e.size)...))
}

func (e *Evaluator) labels(g *Graph) *Node {
	return Parameter(g, "labels", shapes.Make(dtypes.Int32, e.batch))
}

// wrong is 1 for each image whose largest logit is not its label's.
func wrong(logits, label *Node) *Node {
	return ConvertDType(NotEqual(ArgMax(ConvertDType(logits, dtypes.Float32), -1), label), dtypes.Float32)
}

// predict is x, labels → wrong [B].
func (e *Evaluator) predict(w map[string]*tensors.Tensor) (*Graph, error) {
	return e.graph("predict", w, func(g *Graph, logits func(*Node) *Node) []*Node {
		x, y := e.images(g, "x"), e.labels(g)
		return []*Node{wrong(logits(x), y)}
	})
}

// step is x, labels, origin, epsilon, length → next x, wrong [B] of x.
func (e *Evaluator) step(norm string, w map[string]*tensors.Tensor) (*Graph, error) {
	return e.graph("step "+norm, w, func(g *Graph, logits func(*Node) *Node) []*Node {
		x, y, origin := e.images(g, "x"), e.labels(g), e.images(g, "origin")
		eps, length := Parameter(g, "epsilon", shapes.Make(dtypes.Float32)), Parameter(g, "length", shapes.Make(dtypes.Float32))
		z := logits(x)
		loss := ReduceAllSum(crossEntropy(z, OneHot(y, z.Shape().Dim(-1), dtypes.Float32)))
		next := project(norm, ascend(norm, x, Gradient(loss, x)[0], length), origin, eps)
		return []*Node{next, wrong(z, y)}
	})
}

// start is x, rng, epsilon → x with noise in the ball, or on its corners.
func (e *Evaluator) start(norm string, corners bool, w map[string]*tensors.Tensor) (*Graph, error) {
	return e.graph(fmt.Sprint("start ", norm, corners), w, func(g *Graph, _ func(*Node) *Node) []*Node {
		x, rng := e.images(g, "x"), Parameter(g, "rng", RNGStateShape)
		eps := Parameter(g, "epsilon", shapes.Make(dtypes.Float32))
		if corners {
			return []*Node{corner(norm, x, rng, eps)}
		}
		return []*Node{pixels(jitter(norm, x, rng, eps))}
	})
}

// Accuracy is the share of images that the weights classify rightly, whatever the
// attack does to them: an image counts as lost when it is wrong at any step of any
// restart. progress, if not nil, is called with the number of images done.
func (e *Evaluator) Accuracy(ctx context.Context, w map[string]*tensors.Tensor, s *images.Set, a Attack, progress func(done int)) (float64, error) {
	if s.Size != e.size {
		return 0, fmt.Errorf("train: images of %s are %d pixels a side, expected %d", s.Name, s.Size, e.size)
	}
	right := 0
	for first := 0; first < s.Len(); first += e.batch {
		n := min(e.batch, s.Len()-first)
		lost := make([]bool, e.batch)
		x, y := e.cut(s, first)
		if err := e.attack(ctx, w, x, y, a, uint64(first), lost); err != nil {
			return 0, err
		}
		for _, l := range lost[:n] {
			if !l {
				right++
			}
		}
		if progress != nil {
			progress(first + n)
		}
	}
	return float64(right) / float64(s.Len()), nil
}

// cut returns a batch, filled up with its last image.
func (e *Evaluator) cut(s *images.Set, first int) (x, y *tensors.Tensor) {
	per := s.Size * s.Size * 3
	flat, label := make([]float32, 0, e.batch*per), make([]int32, 0, e.batch)
	for i := range e.batch {
		k := min(first+i, s.Len()-1)
		flat = append(flat, s.Image(k)...)
		label = append(label, int32(s.Labels[k]))
	}
	return tensors.FromFlatDataAndDimensions(flat, imageShape(e.batch, e.size)...), tensors.FromFlatDataAndDimensions(label, e.batch)
}

// attack marks the images that are lost.
func (e *Evaluator) attack(ctx context.Context, w map[string]*tensors.Tensor, origin, y *tensors.Tensor, a Attack, stream uint64, lost []bool) error {
	note := func(t *tensors.Tensor) {
		for i, v := range tensors.MustCopyFlatData[float32](t) {
			lost[i] = lost[i] || v != 0
		}
		t.MustFinalizeAll()
	}
	predict, err := e.predict(w)
	if err != nil {
		return err
	}
	run := func(g *Graph, in ...any) (out []*tensors.Tensor, err error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		err = exceptions.TryCatch[error](func() { out = g.Run(in...) })
		return out, err
	}
	weights := make([]any, len(e.paths))
	for i, p := range e.paths {
		weights[i] = w[p]
	}
	classify := func(x *tensors.Tensor) error {
		out, err := run(predict, append([]any{x, y}, weights...)...)
		if err == nil {
			note(out[0])
		}
		return err
	}
	if err := classify(origin); err != nil || a.Norm == "" {
		return err
	}
	start, err := e.start(a.Norm, a.Steps == 0, w)
	if err != nil {
		return err
	}
	var step *Graph
	if a.Steps > 0 {
		if step, err = e.step(a.Norm, w); err != nil {
			return err
		}
	}
	r := rand.New(rand.NewPCG(a.Seed, stream))
	eps, length := float32(a.Epsilon), float32(a.stepSize())
	for range max(a.Restarts, 1) {
		x := origin
		if !a.NoStart || a.Steps == 0 {
			rng := tensors.FromFlatDataAndDimensions([]uint64{r.Uint64(), r.Uint64(), r.Uint64()}, 3)
			out, err := run(start, origin, rng, eps)
			if err != nil {
				return err
			}
			x = out[0]
		}
		for range a.Steps {
			out, err := run(step, append([]any{x, y, origin, eps, length}, weights...)...)
			if err != nil {
				return err
			}
			if x != origin {
				x.MustFinalizeAll()
			}
			x = out[0]
			note(out[1])
		}
		if err := classify(x); err != nil {
			return err
		}
		if x != origin {
			x.MustFinalizeAll()
		}
	}
	return nil
}
