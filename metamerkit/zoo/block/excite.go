package block

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Excite is squeeze-and-excitation (Hu et al. 2017, arXiv:1709.01507) as in timm's
// efficientnet_blocks.py. The channels of x [B,H,W,C] are scaled by
// gate(conv_expand(act(conv_reduce(m)))), where m are the means over the image and
// conv_reduce has hidden channels.
func Excite(s *model.Scope, x *Node, hidden int, act, gate func(*Node) *Node) *Node {
	one := Window{K: 1}
	y := ReduceAndKeep(x, ReduceMean, 1, 2)
	y = act(one.Conv(At(s, "conv_reduce"), y, hidden))
	return Mul(x, gate(one.Conv(At(s, "conv_expand"), y, channels(x))))
}
