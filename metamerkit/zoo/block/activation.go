package block

import (
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph"
)

// Activation returns an activation function by timm's name: gelu (exact), gelu_tanh,
// quick_gelu, relu, relu6, silu (or swish), hard_swish, sigmoid, hard_sigmoid. Other names
// are an error.
func Activation(name string) (func(x *Node) *Node, error) {
	switch name {
	case "gelu":
		return GELU, nil
	case "gelu_tanh":
		return GELUTanh, nil
	case "quick_gelu":
		return QuickGELU, nil
	case "relu":
		return ReLU, nil
	case "relu6":
		return ReLU6, nil
	case "silu", "swish":
		return SiLU, nil
	case "hard_swish":
		return HardSwish, nil
	case "sigmoid":
		return func(x *Node) *Node { return inFloat32(x, Logistic) }, nil
	case "hard_sigmoid":
		return HardSigmoid, nil
	}
	return nil, fmt.Errorf("activation %q: expected gelu, gelu_tanh, quick_gelu, relu, relu6, silu, hard_swish, sigmoid or hard_sigmoid", name)
}

// GELU is x·Φ(x), Φ the normal distribution function (Hendrycks & Gimpel 2016,
// arXiv:1606.08415).
func GELU(x *Node) *Node {
	return inFloat32(x, func(x *Node) *Node {
		return Mul(x, MulScalar(AddScalar(Erf(MulScalar(x, math.Sqrt2/2)), 1), 0.5))
	})
}

// GELUTanh is the tanh approximation of GELU (Hendrycks & Gimpel 2016), used by SigLIP and
// JAX models.
func GELUTanh(x *Node) *Node {
	return inFloat32(x, func(x *Node) *Node {
		cube := Mul(Square(x), x)
		y := Tanh(MulScalar(Add(x, MulScalar(cube, 0.044715)), math.Sqrt(2/math.Pi)))
		return Mul(x, MulScalar(AddScalar(y, 1), 0.5))
	})
}

// QuickGELU is x·sigmoid(1.702 x), used by OpenAI's CLIP.
func QuickGELU(x *Node) *Node {
	return inFloat32(x, func(x *Node) *Node { return Mul(x, Logistic(MulScalar(x, 1.702))) })
}

// ReLU6 is ReLU bounded by 6 (Howard et al. 2017, arXiv:1704.04861).
func ReLU6(x *Node) *Node { return MinScalar(ReLU(x), 6) }

// SiLU, or swish, is x·sigmoid(x) (Elfwing et al. 2017, arXiv:1702.03118).
func SiLU(x *Node) *Node {
	return inFloat32(x, func(x *Node) *Node { return Mul(x, Logistic(x)) })
}

// HardSigmoid is x/6 + ½ between 0 and 1 (Howard et al. 2019, arXiv:1905.02244).
func HardSigmoid(x *Node) *Node { return inFloat32(x, hardSigmoid) }

// HardSwish is x·HardSigmoid(x).
func HardSwish(x *Node) *Node {
	return inFloat32(x, func(x *Node) *Node { return Mul(x, hardSigmoid(x)) })
}

func hardSigmoid(x *Node) *Node {
	return MulScalar(MinScalar(MaxScalar(AddScalar(x, 3), 0), 6), 1.0/6)
}

// inFloat32 computes f of x in float32 and rounds the result to the type of x, as PyTorch does.
// In bfloat16 a CPU converts and rounds after each operation of f, which takes longer than f.
func inFloat32(x *Node, f func(x *Node) *Node) *Node { return narrow(f(wide(x)), x) }
