package train

import (
	"slices"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// updater is a GoMLX optimiser: SGD with Nesterov momentum or AdamW, with a learning
// rate from the host, weight decay of matrices and kernels only, and an average of
// the weights. GoMLX's own SGD has no momentum, and its schedules are of a fixed
// form.
type updater struct {
	o     Options
	hyper *Node // of the graph being drawn
}

const (
	slotPath    = "/slot"    // first moment
	secondPath  = "/second"  // adamw's second moment
	averagePath = "/average" // averaged weights and running statistics
	dataPath    = "/data"    // images and labels, which checkpoints leave out
)

// decays says whether weight decay applies: not to biases, gains and embeddings.
func decays(path string, rank int) bool { return rank >= 2 && strings.HasSuffix(path, "/weight") }

// UpdateGraph implements optimizer.Interface.
func (u *updater) UpdateGraph(s *model.Scope, g *Graph, loss *Node) {
	store := s.Store()
	var vars, all []*model.Variable
	for v := range store.IterVariables() {
		if v.InUseByGraph(g) && store.GetVariable(slotPath+v.Path()) != nil {
			vars = append(vars, v)
		}
		if store.GetVariable(averagePath+v.Path()) != nil {
			all = append(all, v)
		}
	}
	byPath := func(a, b *model.Variable) int { return strings.Compare(a.Path(), b.Path()) }
	slices.SortFunc(vars, byPath)
	slices.SortFunc(all, byPath)
	var nodes []*Node
	for _, v := range vars {
		nodes = append(nodes, v.NodeValue(g))
	}
	grads := u.clip(Gradient(loss, nodes...))
	for i, v := range vars {
		w := nodes[i]
		slot := store.GetVariable(slotPath + v.Path())
		if u.o.Optimizer == "adamw" {
			v.SetNodeValue(u.adamw(w, grads[i], slot, store.GetVariable(secondPath+v.Path()), decays(v.Path(), w.Rank())))
		} else {
			v.SetNodeValue(u.sgd(w, grads[i], slot, decays(v.Path(), w.Rank())))
		}
	}
	keep := u.number(hyperKeep)
	for _, v := range all {
		avg := store.GetVariable(averagePath + v.Path())
		avg.SetNodeValue(Add(Mul(avg.NodeValue(g), keep), Mul(v.NodeValue(g), OneMinus(keep))))
	}
	optimizer.IncrementGlobalStep(g, loss.DType())
}

// Clear implements optimizer.Interface.
func (u *updater) Clear(*model.Scope) error { return nil }

// number is one of the step's numbers, a scalar.
func (u *updater) number(i int) *Node { return Reshape(Slice(u.hyper, AxisElem(i))) }

// clip scales gradients so that the norm of all together is at most o.Clip.
func (u *updater) clip(grads []*Node) []*Node {
	if u.o.Clip == 0 {
		return grads
	}
	var sum *Node
	for _, g := range grads {
		if s := ReduceAllSum(Square(g)); sum == nil {
			sum = s
		} else {
			sum = Add(sum, s)
		}
	}
	scale := MinScalar(Div(Const(sum.Graph(), float32(u.o.Clip)), Sqrt(AddScalar(sum, 1e-12))), 1)
	for i := range grads {
		grads[i] = Mul(grads[i], scale)
	}
	return grads
}

// sgd is PyTorch's, with Nesterov momentum: the decay is part of the gradient.
func (u *updater) sgd(w, grad *Node, slot *model.Variable, decay bool) *Node {
	if decay && u.o.Decay > 0 {
		grad = Add(grad, MulScalar(w, u.o.Decay))
	}
	m := Add(MulScalar(slot.NodeValue(w.Graph()), u.o.Momentum), grad)
	slot.SetNodeValue(m)
	return Sub(w, Mul(Add(grad, MulScalar(m, u.o.Momentum)), u.number(hyperRate)))
}

// adamw is PyTorch's (Loshchilov & Hutter 2019, arXiv:1711.05101), with beta2 .999
// and epsilon 1e-8.
func (u *updater) adamw(w, grad *Node, first, second *model.Variable, decay bool) *Node {
	const beta2, eps = 0.999, 1e-8
	g, t, rate := w.Graph(), u.number(hyperCount), u.number(hyperRate)
	if decay && u.o.Decay > 0 {
		w = Sub(w, Mul(w, MulScalar(rate, u.o.Decay)))
	}
	m := Add(MulScalar(first.NodeValue(g), u.o.Momentum), MulScalar(grad, 1-u.o.Momentum))
	v := Add(MulScalar(second.NodeValue(g), beta2), MulScalar(Square(grad), 1-beta2))
	first.SetNodeValue(m)
	second.SetNodeValue(v)
	correct := func(x *Node, beta float64) *Node {
		return Div(x, OneMinus(Pow(Const(g, float32(beta)), t)))
	}
	return Sub(w, Mul(Div(correct(m, u.o.Momentum), AddScalar(Sqrt(correct(v, beta2)), eps)), rate))
}
