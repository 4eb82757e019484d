package onnx

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/gomlx/compute-onnx/support/protos"
)

// evenKernels pads the kernel of each convolution to an odd size with zeros at
// its end, and the image with as many, which changes no value. GoMLX v0.28.5 has a
// wrong image gradient for even kernels (docs/upstream.md).
func evenKernels(g *protos.GraphProto) error {
	stored := map[string]*protos.TensorProto{}
	for _, t := range g.Initializer {
		stored[t.GetName()] = t
	}
	padded := map[string]bool{}
	for _, n := range g.Node {
		if n.GetOpType() != "Conv" {
			continue
		}
		if len(n.Input) < 2 {
			return fmt.Errorf("Conv %s has no kernel", n.GetName())
		}
		k, ok := stored[n.Input[1]]
		if !ok {
			return fmt.Errorf("the kernel %s of Conv %s is computed, expected one that the file stores", n.Input[1], n.GetName())
		}
		if padded[k.GetName()] {
			return fmt.Errorf("the even kernel %s serves two convolutions", k.GetName())
		}
		if len(k.Dims) != 4 {
			return fmt.Errorf("the kernel %s of Conv %s has shape %v, expected four dimensions", k.GetName(), n.GetName(), k.Dims)
		}
		grow := [2]int64{1 - k.Dims[2]%2, 1 - k.Dims[3]%2}
		if grow == [2]int64{} {
			continue
		}
		if err := growPads(n, grow); err != nil {
			return err
		}
		if err := growKernel(k, grow); err != nil {
			return err
		}
		padded[k.GetName()] = true
	}
	return nil
}

// growPads adds to the end pads and to kernel_shape.
func growPads(n *protos.NodeProto, grow [2]int64) error {
	var pads, shape *protos.AttributeProto
	dilation := []int64{1, 1}
	for _, a := range n.Attribute {
		switch a.GetName() {
		case "pads":
			pads = a
		case "kernel_shape":
			shape = a
		case "dilations":
			dilation = a.Ints
		case "auto_pad":
			if s := string(a.S); s != "NOTSET" && s != "VALID" {
				return fmt.Errorf("Conv %s has an even kernel and auto_pad %s, expected explicit pads", n.GetName(), s)
			}
			a.S = []byte("NOTSET")
		}
	}
	if pads == nil {
		pads = &protos.AttributeProto{Name: "pads", Type: protos.AttributeProto_INTS, Ints: make([]int64, 4)}
		n.Attribute = append(n.Attribute, pads)
	}
	if len(pads.Ints) != 4 || len(dilation) != 2 || shape != nil && len(shape.Ints) != 2 {
		return fmt.Errorf("Conv %s has pads %v, dilations %v: expected a convolution over two axes", n.GetName(), pads.Ints, dilation)
	}
	for i := range 2 {
		pads.Ints[2+i] += grow[i] * dilation[i]
		if shape != nil {
			shape.Ints[i] += grow[i]
		}
	}
	return nil
}

// growKernel appends zero rows and columns to a float32 kernel [O,I,H,W].
func growKernel(t *protos.TensorProto, grow [2]int64) error {
	oi, h, w := int(t.Dims[0]*t.Dims[1]), int(t.Dims[2]), int(t.Dims[3])
	if t.GetDataType() != int32(protos.TensorProto_FLOAT) {
		return fmt.Errorf("the even kernel %s is of type %d, expected float32", t.GetName(), t.GetDataType())
	}
	if len(t.RawData) == 0 {
		var b bytes.Buffer
		if err := binary.Write(&b, binary.LittleEndian, t.FloatData); err != nil {
			return err
		}
		t.RawData, t.FloatData = b.Bytes(), nil
	}
	if len(t.RawData) != 4*oi*h*w {
		return fmt.Errorf("the kernel %s of shape %v has %d bytes", t.GetName(), t.Dims, len(t.RawData))
	}
	h2, w2 := h+int(grow[0]), w+int(grow[1])
	raw := make([]byte, 4*oi*h2*w2)
	for o := range oi {
		for y := range h {
			copy(raw[4*((o*h2+y)*w2):], t.RawData[4*((o*h+y)*w):4*((o*h+y+1)*w)])
		}
	}
	t.RawData = raw
	t.Dims[2], t.Dims[3] = int64(h2), int64(w2)
	return nil
}
