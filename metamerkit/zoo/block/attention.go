package block

import (
	"math"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// LinearNoBias applies y = xW to the last axis: [...,C] → [...,out].
func LinearNoBias(s *model.Scope, x *Node, out int) *Node {
	return product(x, []int{x.Rank() - 1}, nil, Weight(s, x, "weight", channels(x), out), []int{0}, nil)
}

// MLP is the layers fc1 (to hidden values), act and fc2 (back to the width of x), on the
// last axis.
func MLP(s *model.Scope, x *Node, hidden int, act func(*Node) *Node) *Node {
	return Linear(At(s, "fc2"), act(Linear(At(s, "fc1"), x, hidden)), channels(x))
}

// Attention is multi-head self-attention on x [B,T,C] (Vaswani et al. 2017), with
// the variables of timm's: one matrix qkv [C,3C] (query, key, value; in each of
// them the heads), with a bias if qkvBias, then proj. bias is added to the scores
// and must broadcast to [B,heads,T,T]; nil for none.
func Attention(s *model.Scope, x *Node, heads int, qkvBias bool, bias *Node) *Node {
	b, t, c := x.Shape().Dim(0), x.Shape().Dim(1), channels(x)
	linear := LinearNoBias
	if qkvBias {
		linear = Linear
	}
	qkv := Reshape(linear(At(s, "qkv"), x, 3*c), b, t, 3, heads, c/heads)
	part := func(i int) *Node {
		return Squeeze(Slice(qkv, AxisRange(), AxisRange(), AxisElem(i)), 2) // [B,T,heads,C/heads]
	}
	return Linear(At(s, "proj"), Attend(part(0), part(1), part(2), bias), c)
}

// Attend is softmax(q·kᵀ/√D + bias)·v for each head: q [B,Q,H,D], k and v [B,T,H,D]
// → [B,Q,H·D].
func Attend(q, k, v, bias *Node) *Node {
	y := attend(q, k, v, bias)
	return Reshape(y, y.Shape().Dim(0), y.Shape().Dim(1), -1)
}

// attend is Attend with the heads' outputs apart, [B,Q,H,D]: in one kernel where the
// backend has one, whose scores are never written out, else in products.
func attend(q, k, v, bias *Node) *Node {
	products := func() *Node { return attendByProducts(q, k, v, bias) }
	if bias != nil || !hasFusedAttention(q, k) {
		return products()
	}
	y, _ := InternalFusedOpCaller(func() *Node { // unless GOMLX_FUSION=0
		y, _ := BackendFusedScaledDotProductAttention(q, k, v, compute.AttentionAxesLayoutBSHD, &compute.ScaledDotProductAttentionConfig{})
		return y
	}, products, false)
	return y
}

// hasFusedAttention says whether the backend has attention and its gradient in one
// kernel each for these: cuDNN's, of bfloat16, for as many queries as keys and at most
// 128 channels a head.
func hasFusedAttention(q, k *Node) bool {
	has := q.Graph().Backend().Capabilities().Operations
	return has[compute.OpTypeFusedScaledDotProductAttention] && has[compute.OpTypeFusedScaledDotProductAttentionVJP] &&
		q.DType() == dtypes.BFloat16 && q.Shape().Equal(k.Shape()) && channels(q)%8 == 0 && channels(q) <= 128
}

func attendByProducts(q, k, v, bias *Node) *Node {
	d := channels(q)
	q = MulScalar(q, 1/math.Sqrt(float64(d)))
	scores := product(q, []int{3}, []int{0, 2}, k, []int{3}, []int{0, 2}) // [B,H,Q,T]
	if bias != nil {
		scores = Add(scores, bias)
	}
	y := product(softmax(scores), []int{3}, []int{0, 1}, v, []int{1}, []int{0, 2}) // [B,H,Q,D]
	return TransposeAllAxes(y, 0, 2, 1, 3)
}

// softmax over the last axis.
func softmax(x *Node) *Node {
	if x.DType() != dtypes.Float32 {
		return softmaxWide(x)
	}
	e := Exp(Sub(x, StopGradient(ReduceAndKeep(x, ReduceMax, -1))))
	return Mul(e, Reciprocal(ReduceAndKeep(e, ReduceSum, -1)))
}

// softmaxWide is softmax computed in float32 for an x of less. Its gradient is written by
// the result p alone, p·(v − Σ p·v), so that nothing in float32 is kept for the way back.
func softmaxWide(x *Node) *Node {
	from := StopGradient(x)
	z := wide(from)
	e := Exp(Sub(z, ReduceAndKeep(z, ReduceMax, -1)))
	p := narrow(Mul(e, Reciprocal(ReduceAndKeep(e, ReduceSum, -1))), x)
	// The way of the gradient is a zero beside the result (see adjoint).
	way := IdentityWithCustomGradient(Sub(x, from), func(_, v *Node) *Node {
		q, v := wide(p), wide(v)
		v = Mul(q, v)
		return narrow(Sub(v, Mul(q, ReduceAndKeep(v, ReduceSum, -1))), x)
	})
	return Add(p, way)
}
