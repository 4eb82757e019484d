package zoo

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

// Mixed is BFloat16 with activations and their gradients in bfloat16 as well, which is
// several times faster on GPUs with matrix units. The device sums products in float32;
// normalisations, softmax and activation functions are computed in float32. Everything
// outside Forward stays float32: pixels, the layers that Tap returns, losses. The net n
// must not be used afterwards.
func (n *Net) Mixed() (*Net, error) {
	out, err := n.BFloat16()
	if err != nil {
		return nil, err
	}
	out.mixed = true
	return out, nil
}

// BFloat16 returns the net with matrices and kernels rounded to bfloat16 (8 bits of
// mantissa), which halves their memory. Biases, gains and statistics stay float32. Weights
// are converted to float32 where they are used, so pixels, activations, losses and
// gradients are float32. The net n must not be used afterwards, since its tensors are
// released.
func (n *Net) BFloat16() (*Net, error) {
	if !n.half {
		return nil, fmt.Errorf("zoo: weights in bfloat16 are for PyTorch and safetensors files; the graph of an ONNX file has its own types: expected float32")
	}
	out := *n
	out.Weights, out.Derived = map[string]*tensors.Tensor{}, nil
	for path, t := range n.Weights {
		out.Weights[path] = t
		if t.Shape().Rank() < 2 || t.DType() != dtypes.Float32 {
			continue
		}
		small := tensors.FromShape(shapes.Make(dtypes.BFloat16, t.Shape().Dimensions...))
		tensors.MustConstFlatData(t, func(from []float32) {
			tensors.MustMutableFlatData(small, func(to []bfloat16.BFloat16) {
				for i, v := range from {
					to[i] = bfloat16.FromFloat32(v)
				}
			})
		})
		out.Weights[path] = small
		t.MustFinalizeAll()
	}
	return &out, nil
}
