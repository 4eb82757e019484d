package zoo

import (
	"fmt"
	"maps"
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo/block"
)

// Embedding ends the forward pass of a model without a classifier. It scales the vector of
// each image in x [B,D] to unit length and marks the result as the layer "embedding".
// Products of embeddings are cosines, between images or with texts of the same CLIP model.
func Embedding(x *Node) *Node {
	length := Sqrt(ReduceAndKeep(Square(x), ReduceSum, -1))
	return stage.Mark(Div(x, AddScalar(length, 1e-12)), "embedding")
}

// Head ends the forward pass of a model with features x [B,D]. It returns the logits
// [B,classes] of a linear classifier with variables in s or, for 0 classes, the Embedding
// of x.
func Head(s *model.Scope, x *Node, classes int) *Node {
	if classes == 0 {
		return Embedding(x)
	}
	return stage.Mark(block.Linear(s, x, classes), "logits")
}

// ZeroShot returns a classifier from a model without one. Its logits [B,K] are scale times
// the cosines of the image embedding with K class embeddings, such as those of the texts "a
// photo of a dog", each of D values and any length but zero. The scale is CLIP's
// exp(logit_scale), 100 for OpenAI's models; 0 stands for 100. The net shares the weights
// of n, and "logits" is one of its layers.
func ZeroShot(n *Net, classes [][]float32, scale float64) (*Net, error) {
	if len(classes) == 0 || len(classes[0]) == 0 {
		return nil, fmt.Errorf("zoo: zero-shot classes: no class embeddings")
	}
	if scale == 0 {
		scale = 100
	}
	k, d := len(classes), len(classes[0])
	flat := make([]float32, d*k) // [D,K]
	for i, c := range classes {
		if len(c) != d {
			return nil, fmt.Errorf("zoo: zero-shot classes: embedding %d has %d values, expected %d as the first", i, len(c), d)
		}
		sum := 0.0
		for _, v := range c {
			sum += float64(v) * float64(v)
		}
		if !(sum > 0) || math.IsInf(sum, 0) {
			return nil, fmt.Errorf("zoo: zero-shot classes: embedding %d has the squared length %v, expected a finite one above 0", i, sum)
		}
		for j, v := range c {
			flat[j*k+i] = float32(scale * float64(v) / math.Sqrt(sum))
		}
	}
	weights := maps.Clone(n.Weights)
	weights["/zero_shot/weight"] = tensors.FromFlatDataAndDimensions(flat, d, k)
	forward := func(s *model.Scope, images *Node) *Node {
		x := n.Forward(s, images)
		if x.Rank() != 2 || x.Shape().Dim(1) != d {
			panic(fmt.Errorf("zero-shot classes: embeddings of %d values, the model's are %v", d, x.Shape()))
		}
		return stage.Mark(block.LinearNoBias(block.At(s, "zero_shot"), x, k), "logits")
	}
	shot := *n
	shot.Forward, shot.Weights = forward, weights
	return &shot, nil
}
