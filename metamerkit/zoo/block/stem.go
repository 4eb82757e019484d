package block

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// ConvStem is the stem of the robust models of Singh et al. 2023 (arXiv:2303.01870): 3×3
// convolutions with padding 1, each followed by a LayerNorm (ε = 1e-6) and GELU, numbered
// as in one PyTorch Sequential. The slices channels and strides have one number per
// convolution.
func ConvStem(s *model.Scope, x *Node, channels, strides []int) *Node {
	for i, c := range channels {
		x = Conv(At(s, "%d", 3*i), x, c, 3, strides[i], 1)
		x = GELU(LayerNorm(At(s, "%d", 3*i+1), x, 1e-6))
	}
	return x
}
