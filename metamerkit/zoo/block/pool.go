package block

import (
	"github.com/gomlx/gomlx/core/graph"
)

// PoolMax is the largest of each k×k window, with padding that never wins.
func PoolMax(x *graph.Node, k, stride, pad int) *graph.Node {
	p := [2]int{pad, pad}
	return graph.MaxPool(x).Window(k).Strides(stride).PaddingPerDim([][2]int{p, p}).Done()
}
