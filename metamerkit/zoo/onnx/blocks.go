package onnx

import (
	. "github.com/gomlx/gomlx/core/graph"
)

func init() {
	register(7, spaceToDepth, nil, "SpaceToDepth")
	register(7, depthToSpace, nil, "DepthToSpace")
}

// blocks reads what DepthToSpace and SpaceToDepth have in common, and the node
// [images·N,H,W,C].
func (c *call) blocks() (x *Node, size int) {
	size = c.int("blocksize", 0)
	v := c.value(0)
	if !v.varying || len(v.dims) != 4 || size < 1 || size > maxElements {
		c.refuse("", "", "its input is %v with blocks of %d, expected images [N,C,H,W]", v.dims, size)
	}
	return c.channelsLast(v), size
}

func depthToSpace(c *call) *value {
	mode := c.text("mode", "DCR")
	x, s := c.blocks()
	n, h, w, ch := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2), x.Shape().Dim(3)
	if ch%(s*s) != 0 {
		c.refuse("blocksize", "", "it is %d for %d channels", s, ch)
	}
	switch o := ch / (s * s); mode {
	case "DCR":
		x = TransposeAllAxes(Reshape(x, n, h, w, s, s, o), 0, 1, 3, 2, 4, 5)
	case "CRD":
		x = TransposeAllAxes(Reshape(x, n, h, w, o, s, s), 0, 1, 4, 2, 5, 3)
	default:
		c.refuse("mode", "", "it is %q, expected DCR or CRD", mode)
	}
	return c.imagesValue(Reshape(x, n, h*s, w*s, ch/(s*s)))
}

func spaceToDepth(c *call) *value {
	if mode := c.text("mode", "DCR"); mode != "DCR" {
		c.refuse("mode", "", "it is %q, expected DCR", mode)
	}
	x, s := c.blocks()
	n, h, w, ch := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2), x.Shape().Dim(3)
	if h%s != 0 || w%s != 0 {
		c.refuse("blocksize", "", "it is %d for %d × %d pixels", s, h, w)
	}
	x = TransposeAllAxes(Reshape(x, n, h/s, s, w/s, s, ch), 0, 1, 3, 2, 4, 5)
	return c.imagesValue(Reshape(x, n, h/s, w/s, s*s*ch))
}
