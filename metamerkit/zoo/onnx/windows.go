package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	gomlxonnx "github.com/gomlx/onnx-gomlx/onnx"
)

// odd makes kernels odd: GoMLX (v0.28.5) computes a silently wrong gradient of a
// convolution with respect to its input for even kernels.
type odd struct {
	weights map[string]*protos.TensorProto
	padded  map[string]string // weight → its padded copy
	made    []*protos.TensorProto
}

func newOdd(g *protos.GraphProto) *odd {
	o := &odd{weights: map[string]*protos.TensorProto{}, padded: map[string]string{}}
	for _, t := range g.Initializer {
		o.weights[t.Name] = t
	}
	return o
}

// conv pads an even kernel with zeros at its end to the next odd size, and the
// input by as much, so that the result is the same.
func (o *odd) conv(n *protos.NodeProto) error {
	if err := explicitPads(n); err != nil {
		return err
	}
	if len(n.Input) < 2 {
		return fmt.Errorf("%d inputs, expected at least 2", len(n.Input))
	}
	w := o.weights[n.Input[1]]
	if w == nil {
		k := find(n, "kernel_shape")
		if k == nil || slices.ContainsFunc(k.Ints, even) {
			return fmt.Errorf("its kernel %q is computed and may be even, and gradients through even kernels are wrong: expected an initializer", n.Input[1])
		}
		return nil
	}
	if len(w.Dims) < 3 || protos.TensorProto_DataType(w.DataType) != protos.TensorProto_FLOAT {
		return fmt.Errorf("its kernel is %v %v, expected FLOAT [O,I,…]", protos.TensorProto_DataType(w.DataType), w.Dims)
	}
	kernel := w.Dims[2:]
	axes := len(kernel)
	if k := find(n, "kernel_shape"); k != nil && !slices.Equal(k.Ints, kernel) {
		return fmt.Errorf("kernel_shape is %v, but the kernel is %v", k.Ints, w.Dims)
	}
	if !slices.ContainsFunc(kernel, even) {
		return nil
	}
	pads, err := numbers(n, "pads", 2*axes, 0)
	if err != nil {
		return err
	}
	dilations, err := numbers(n, "dilations", axes, 1)
	if err != nil {
		return err
	}
	grown := slices.Clone(kernel)
	for i, k := range kernel {
		if even(k) {
			grown[i]++
			pads[axes+i] += dilations[i]
		}
	}
	name, ok := o.padded[w.Name]
	if !ok {
		for name = w.Name + "_odd"; o.weights[name] != nil; name += "_" {
		}
		t := &protos.TensorProto{Name: name, DataType: w.DataType, Dims: append(slices.Clone(w.Dims[:2]), grown...)}
		t.FloatData = pad(floats(w), kernel, grown)
		o.weights[name], o.padded[w.Name] = t, name
		o.made = append(o.made, t)
	}
	n.Input[1] = name
	set(n, "pads", pads)
	set(n, "kernel_shape", grown)
	return nil
}

func even(k int64) bool { return k%2 == 0 }

// pad copies blocks of the shape from into blocks of the shape to, at their
// beginning, with zeros behind.
func pad(flat []float32, from, to []int64) []float32 {
	if len(from) == 0 {
		return flat
	}
	in, out := 1, 1
	for i := range from {
		in, out = in*int(from[i]), out*int(to[i])
	}
	if in == 0 {
		return nil
	}
	var all []float32
	rows := int(from[0])
	for ; len(flat) >= in; flat = flat[in:] {
		block := pad(flat[:in], from[1:], to[1:])
		if len(from) == 1 {
			block = flat[:rows]
		}
		all = append(all, block...)
		all = append(all, make([]float32, out-len(block))...)
	}
	return all
}

// pool writes out what the importer takes otherwise than ONNX does.
func pool(n *protos.NodeProto) error {
	if err := explicitPads(n); err != nil {
		return err
	}
	k := find(n, "kernel_shape")
	if k == nil || len(k.Ints) == 0 {
		return fmt.Errorf("no kernel_shape")
	}
	axes := len(k.Ints)
	strides, err := numbers(n, "strides", axes, 1)
	if err != nil {
		return err
	}
	set(n, "strides", strides) // the importer's default is the window
	pads, err := numbers(n, "pads", 2*axes, 0)
	if err != nil {
		return err
	}
	padded := slices.ContainsFunc(pads, func(p int64) bool { return p != 0 })
	switch {
	case !padded:
		remove(n, "count_include_pad") // says nothing then, but is refused
	case n.OpType == "AveragePool":
		// The pure-Go backend (compute v0.1.5) ends the process in its gradient.
		return fmt.Errorf("pads are %v, and gradients through a padded AveragePool do not work: expected none (use a Pad before it)", pads)
	}
	if d := find(n, "dilations"); d != nil && !slices.ContainsFunc(d.Ints, func(v int64) bool { return v != 1 }) {
		remove(n, "dilations") // as above
	}
	return nil
}

// explicitPads refuses padding that depends on the size of the input.
func explicitPads(n *protos.NodeProto) error {
	a := find(n, "auto_pad")
	if a == nil {
		return nil
	}
	switch mode := string(a.S); mode {
	case "", "NOTSET":
	case "VALID":
		remove(n, "pads")
	default:
		return fmt.Errorf("auto_pad is %s, expected NOTSET or VALID: export the model with explicit pads", mode)
	}
	remove(n, "auto_pad")
	return nil
}

// floats returns the elements of a float32 tensor.
func floats(t *protos.TensorProto) []float32 {
	if len(t.RawData) == 0 {
		return t.FloatData
	}
	out := make([]float32, len(t.RawData)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(t.RawData[4*i:]))
	}
	return out
}

// variables returns the initializers of a rewritten graph by the scope paths at
// which the importer looks for them.
func variables(g *protos.GraphProto) (map[string]*tensors.Tensor, error) {
	out := map[string]*tensors.Tensor{}
	for _, t := range g.Initializer {
		name := strings.ReplaceAll(t.Name, model.ScopeSeparator, "|")
		path := model.JoinPath(model.RootScopePath, gomlxonnx.ModelScope, name)
		if _, dup := out[path]; dup || name == "." || name == ".." {
			return nil, fmt.Errorf("the name of tensor %q cannot be told from another", t.Name)
		}
		dims := make([]int, len(t.Dims))
		for i, d := range t.Dims {
			dims[i] = int(d)
		}
		flat := floats(t)
		if len(flat) == 0 {
			return nil, fmt.Errorf("tensor %q %v is empty", t.Name, t.Dims)
		}
		out[path] = tensors.FromFlatDataAndDimensions(slices.Clone(flat), dims...)
	}
	return out, nil
}
