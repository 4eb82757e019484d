package block

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// A graph that GoMLX marks as training (model.Store.SetTraining) has the same model
// definition with trainable weights, and with batch normalisation by the statistics of the
// batch, whose running averages it updates. In other graphs weights are frozen. Weights in
// training are float32 whatever the type of the activations, so that a graph in bfloat16
// accumulates in float32.

// held is the key under which a graph keeps its running statistics as they are.
type held struct{}

// HoldStatistics calls f without updates of running statistics. It matters in graphs under
// training only, where the forward passes of an adversarial attack must not change the
// statistics.
func HoldStatistics(g *Graph, f func()) {
	before := g.State(held{})
	g.AttachState(held{}, true)
	defer g.AttachState(held{}, before)
	f()
}

// variable reads a float32 variable in training, as a node of x's type.
func variable(s *model.Scope, x *Node, name string, trainable bool, dims ...int) *Node {
	v := s.VariableWithShape(name, shapes.Make(dtypes.Float32, dims...)).SetTrainable(trainable)
	return ConvertDType(v.NodeValue(x.Graph()), x.DType())
}

// batchNorm normalises y [...,C] in training over all axes but the last, in
// float32: (y − mean)/√(variance + eps)·weight + bias, with the batch's mean and
// (biased) variance, and moves running_mean and running_var by a tenth towards the
// batch's mean and unbiased variance, as PyTorch does (Ioffe & Szegedy 2015,
// arXiv:1502.03167).
func batchNorm(s *model.Scope, y *Node, eps float64) *Node {
	const momentum = 0.1
	from, g, c := y, y.Graph(), channels(y)
	y = wide(y)
	axes := make([]int, y.Rank()-1)
	for i := range axes {
		axes[i] = i
	}
	mean := ReduceMean(y, axes...)
	centred := Sub(y, ExpandLeftToRank(mean, y.Rank()))
	variance := ReduceMean(Square(centred), axes...)
	n := float64(y.Shape().Size() / c)
	for _, r := range []struct {
		name string
		now  *Node
	}{{"running_mean", mean}, {"running_var", MulScalar(variance, n/max(n-1, 1))}} {
		v := s.VariableWithShape(r.name, shapes.Make(dtypes.Float32, c)).SetTrainable(false)
		before := v.NodeValue(g)
		if g.State(held{}) == nil {
			v.SetNodeValue(Add(MulScalar(before, 1-momentum), MulScalar(StopGradient(r.now), momentum)))
		}
	}
	gain := Div(variable(s, y, "weight", true, c), Sqrt(AddScalar(variance, eps)))
	y = Add(Mul(centred, ExpandLeftToRank(gain, y.Rank())), ExpandLeftToRank(variable(s, y, "bias", true, c), y.Rank()))
	return narrow(y, from)
}
