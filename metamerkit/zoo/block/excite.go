package block

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Excite scales the channels of x [B,H,W,C] by what two 1×1 convolutions, conv_reduce
// (to `hidden` channels) and conv_expand, make of their means: squeeze-and-excitation
// (Hu et al. 2017, arXiv:1709.01507) as timm's efficientnet_blocks.py has it.
func Excite(s *model.Scope, x *Node, hidden int, act, gate func(*Node) *Node) *Node {
	one := Window{K: 1}
	y := ReduceAndKeep(x, ReduceMean, 1, 2)
	y = act(one.Conv(At(s, "conv_reduce"), y, hidden))
	return Mul(x, gate(one.Conv(At(s, "conv_expand"), y, channels(x))))
}
