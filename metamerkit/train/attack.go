package train

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Graph functions of attacks: images x are [B,H,W,3] in [0,1], gradients alike,
// epsilon and lengths scalars of float32.

// crossEntropy is the loss [B] of logits [B,C] for target probabilities [B,C], in
// float32.
func crossEntropy(logits, target *Node) *Node {
	logits = ConvertDType(logits, dtypes.Float32)
	peak := StopGradient(ReduceAndKeep(logits, ReduceMax, -1))
	shifted := Sub(logits, peak)
	log := Sub(shifted, Log(ReduceAndKeep(Exp(shifted), ReduceSum, -1)))
	return Neg(ReduceSum(Mul(log, target), -1))
}

// norms is the L2 norm of each image, [B,1,1,1], at least 1e-12.
func norms(x *Node) *Node {
	n := Sqrt(AddScalar(ReduceSum(Square(x), 1, 2, 3), 1e-24))
	return Reshape(n, x.Shape().Dim(0), 1, 1, 1)
}

// ascend moves x along gradient by a length in the norm: the sign times length for
// linf, the unit gradient times length for l2.
func ascend(norm string, x, gradient, length *Node) *Node {
	if norm == "linf" {
		return Add(x, Mul(Sign(gradient), length))
	}
	return Add(x, Mul(Div(gradient, norms(gradient)), length))
}

// project brings x into the ball of radius epsilon around origin, and into [0,1].
func project(norm string, x, origin, epsilon *Node) *Node {
	d := Sub(x, origin)
	if norm == "linf" {
		d = Max(Min(d, epsilon), Neg(epsilon))
	} else {
		d = Mul(d, MinScalar(Div(epsilon, norms(d)), 1))
	}
	return pixels(Add(origin, d))
}

// pixels clamps to [0,1].
func pixels(x *Node) *Node { return MinScalar(MaxScalar(x, 0), 1) }

// jitter adds noise of size epsilon to x: uniform in each value for linf, a uniform
// share of epsilon along a random direction for l2.
func jitter(norm string, x, rng, epsilon *Node) *Node {
	if norm == "linf" {
		_, u := RandomUniform(rng, x.Shape())
		return Add(x, Mul(AddScalar(MulScalar(u, 2), -1), epsilon))
	}
	rng, n := RandomNormal(rng, x.Shape())
	share := x.Shape().Clone()
	share.Dimensions = []int{x.Shape().Dim(0), 1, 1, 1}
	_, u := RandomUniform(rng, share)
	return Add(x, Mul(Mul(Div(n, norms(n)), u), epsilon))
}

// corner adds noise of exactly the size epsilon to x: plus or minus epsilon in each
// value for linf, epsilon along a random direction for l2.
func corner(norm string, x, rng, epsilon *Node) *Node {
	if norm == "linf" {
		_, u := RandomUniform(rng, x.Shape())
		return pixels(Add(x, Mul(Sign(AddScalar(u, -0.5)), epsilon)))
	}
	_, n := RandomNormal(rng, x.Shape())
	return pixels(Add(x, Mul(Div(n, norms(n)), epsilon)))
}

// craft makes the images that adversarial training trains on. loss gives the sum of
// the losses of a batch, each image's its own. (GoMLX gives the gradient with respect
// to a node made by StopGradient as zero, so that only the result is one.)
func (m method) craft(t Threat, x, rng *Node, loss func(x *Node) *Node) *Node {
	g := x.Graph()
	epsilon := Const(g, float32(t.Epsilon))
	at := x
	if m.noise > 0 {
		at = pixels(jitter(t.Norm, x, rng, Const(g, float32(t.Epsilon*m.noise))))
	}
	for range m.steps {
		at = ascend(t.Norm, at, Gradient(loss(at), at)[0], Const(g, float32(t.Epsilon*m.step)))
		if m.clip {
			at = project(t.Norm, at, x, epsilon)
		} else {
			at = pixels(at)
		}
	}
	return StopGradient(at)
}
