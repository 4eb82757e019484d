package train

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

// trainable says whether a variable is a weight: running statistics are not.
func trainable(path string) bool {
	return !strings.HasSuffix(path, "/running_mean") && !strings.HasSuffix(path, "/running_var")
}

// initial draws the weights that training begins with, by the variables' names and
// shapes (this project's layout: kernels HWIO, matrices [in,out]):
//
//   - kernels normal with variance 2/(k²·out) (He et al. 2015, arXiv:1502.01852, by
//     their fan-out), depthwise ones 2/k²;
//   - matrices uniform within ±1/√in, PyTorch's default of a linear layer;
//   - gains, variances and layer scales (weight, running_var, gamma of one axis) 1,
//     biases and means 0;
//   - all else (tokens, position embeddings, bias tables) normal with a standard
//     deviation of .02, within two of them.
func initial(variables map[string]shapes.Shape, seed uint64) map[string]*tensors.Tensor {
	paths := make([]string, 0, len(variables))
	for p := range variables {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	out := map[string]*tensors.Tensor{}
	r := rand.New(rand.NewPCG(seed, 0x1817)) // a stream apart from the steps'
	for _, p := range paths {
		dims := variables[p].Dimensions
		v := make([]float32, variables[p].Size())
		name := p[strings.LastIndexByte(p, '/')+1:]
		fill := func(f func() float64) {
			for i := range v {
				v[i] = float32(f())
			}
		}
		switch {
		case len(dims) <= 1 && (name == "weight" || name == "running_var" || strings.HasPrefix(name, "gamma")):
			fill(func() float64 { return 1 })
		case name == "bias" || name == "running_mean":
		case len(dims) == 4 && name == "weight":
			fan := dims[0] * dims[1] * dims[3]
			if dims[2] == 1 {
				fan = dims[0] * dims[1]
			}
			std := math.Sqrt(2 / float64(fan))
			fill(func() float64 { return std * r.NormFloat64() })
		case len(dims) == 2 && name == "weight":
			bound := 1 / math.Sqrt(float64(dims[0]))
			fill(func() float64 { return bound * (2*r.Float64() - 1) })
		default:
			fill(func() float64 {
				for {
					if z := r.NormFloat64(); math.Abs(z) < 2 {
						return .02 * z
					}
				}
			})
		}
		out[p] = tensors.FromFlatDataAndDimensions(v, dims...)
	}
	return out
}
