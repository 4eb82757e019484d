package vit

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo/block"
)

// head reads the normalised tokens [B,T,C]. It marks what the classifier reads as
// pre_logits: the class token, the class and the distillation token [B,2,C] of a
// distilled model, or the pooled patches. Then come the logits, of a model with a
// classifier, or the embedding.
func (c config) head(s *model.Scope, x *Node) *Node {
	if c.Distilled {
		x = stage.Mark(Slice(x, AxisRange(), AxisRange(0, 2)), "pre_logits")
		if c.Classes == 0 {
			return zoo.Embedding(ReduceMean(x, 1))
		}
		y := block.Linear(block.At(s, "head"), token(x, 0), c.Classes)
		z := block.Linear(block.At(s, "head_dist"), token(x, 1), c.Classes)
		return stage.Mark(MulScalar(Add(y, z), 0.5), "logits")
	}
	switch c.Pool {
	case "token":
		x = token(x, 0)
	case "avg":
		x = ReduceMean(c.patches(x), 1)
	case "map":
		x = c.attentionPool(block.At(s, "attn_pool"), c.patches(x))
	}
	if *c.FCNorm {
		x = block.LayerNorm(block.At(s, "fc_norm"), x, c.Eps)
	}
	x = stage.Mark(x, "pre_logits") // [B,C]
	switch {
	case c.Classes > 0:
		return stage.Mark(block.Linear(block.At(s, "head"), x, c.Classes), "logits")
	case c.Embedding > 0:
		x = block.Linear(block.At(s, "head"), x, c.Embedding)
	}
	return zoo.Embedding(x)
}

// token takes the i-th token of x [B,T,C]: [B,C].
func token(x *Node, i int) *Node { return Squeeze(Slice(x, AxisRange(), AxisElem(i)), 1) }

// patches leaves the prefix tokens of x [B,T,C] out.
func (c config) patches(x *Node) *Node {
	if c.prefix() == 0 {
		return x
	}
	return Slice(x, AxisRange(), AxisRange(c.prefix()))
}

// attentionPool is timm's AttentionPoolLatent, the head of SigLIP (Zhai et al.
// 2023, arXiv:2303.15343): one learned query attends to the tokens x [B,T,C], then
// an MLP → [B,C].
func (c config) attentionPool(s *model.Scope, x *Node) *Node {
	b, t, d := x.Shape().Dim(0), x.Shape().Dim(1), c.Width/c.Heads
	q := block.Linear(block.At(s, "q"), block.Weight(s, x, "latent", 1, 1, c.Width), c.Width)
	q = BroadcastToDims(Reshape(q, 1, 1, c.Heads, d), b, 1, c.Heads, d)
	kv := Reshape(block.Linear(block.At(s, "kv"), x, 2*c.Width), b, t, 2, c.Heads, d)
	part := func(i int) *Node { return Squeeze(Slice(kv, AxisRange(), AxisRange(), AxisElem(i)), 2) }
	x = block.Linear(block.At(s, "proj"), block.Attend(q, part(0), part(1), nil), c.Width) // [B,1,C]
	y := block.LayerNorm(block.At(s, "norm"), x, c.Eps)
	return token(Add(x, block.MLP(block.At(s, "mlp"), y, c.hidden(), c.act)), 0)
}
