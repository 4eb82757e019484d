package vit

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo/block"
)

// prefix is the number of tokens before those of the patches.
func (c config) prefix() int {
	n := c.Registers
	if !c.NoClassToken {
		n++
	}
	if c.Distilled {
		n++
	}
	return n
}

// embed puts the class token, the distillation token and the registers before the
// patches [B,N,C] and adds position embeddings.
func (c config) embed(s *model.Scope, x *Node) *Node {
	var tokens []*Node
	add := func(name string, n int) {
		t := block.Weight(s, x, name, 1, n, c.Width)
		tokens = append(tokens, BroadcastToDims(t, x.Shape().Dim(0), n, c.Width))
	}
	if !c.NoClassToken {
		add("cls_token", 1)
	}
	if c.Distilled {
		add("dist_token", 1)
	}
	if c.Registers > 0 {
		add("reg_token", c.Registers)
	}
	with := func(x *Node) *Node {
		if tokens == nil {
			return x
		}
		return Concatenate(append(tokens, x), 1)
	}
	if c.PatchPosOnly {
		return with(Add(x, c.positions(s, x, 0)))
	}
	return Add(with(x), c.positions(s, x, c.prefix()))
}

// positions returns the position embeddings [1,prefix+N,C] for patches x [B,N,C],
// N = G², resampled by the antialiased bicubic filter where the file has another
// grid (timm's resample_abs_pos_embed).
func (c config) positions(s *model.Scope, x *Node, prefix int) *Node {
	grid := 1
	for grid*grid < x.Shape().Dim(1) {
		grid++
	}
	from := c.PosGrid
	if from == 0 {
		from = grid
	}
	p := block.Weight(s, x, "pos_embed", 1, prefix+from*from, c.Width)
	if from == grid {
		return p
	}
	m := ConvertDType(ConstTensor(x.Graph(), tensors.FromFlatDataAndDimensions(zoo.Bicubic(from, grid), grid, from)), x.DType())
	y := Reshape(Slice(p, AxisRange(), AxisRange(prefix)), from, from, c.Width)
	y = DotGeneral(m, []int{1}, nil, y, []int{0}, nil) // [G,from,C]
	y = DotGeneral(m, []int{1}, nil, y, []int{1}, nil) // [G(columns),G(rows),C]
	y = Reshape(TransposeAllAxes(y, 1, 0, 2), 1, grid*grid, c.Width)
	if prefix == 0 {
		return y
	}
	return Concatenate([]*Node{Slice(p, AxisRange(), AxisRange(0, prefix)), y}, 1)
}
