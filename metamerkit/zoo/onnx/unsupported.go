package onnx

import (
	"fmt"
	"strings"
)

// Unsupported reports a node that this package does not compute, or does not compute
// as ONNX defines it. Nothing of that kind is ever let through.
type Unsupported struct {
	Node      string // its name, or its first output where it has none
	Op        string // "" where the file as a whole is at fault
	Attribute string // the attribute or input at fault, "" where it is the operator
	Opset     int    // of the file
	Why       string
	Hint      string // how to export the model without it, "" for that of the operator
}

func (e *Unsupported) Error() string {
	var s strings.Builder
	if e.Op == "" {
		fmt.Fprintf(&s, "opset %d", e.Opset)
	} else {
		fmt.Fprintf(&s, "node %q (%s, opset %d)", e.Node, e.Op, e.Opset)
	}
	if e.Attribute != "" {
		fmt.Fprintf(&s, ", %s", e.Attribute)
	}
	s.WriteString(": " + e.Why)
	s.WriteString("; " + e.hint())
	return s.String()
}

func (e *Unsupported) hint() string {
	switch {
	case e.Hint != "":
		return e.Hint
	case instead[e.Op] != "":
		return instead[e.Op]
	}
	return hintOther
}

// instead says, of operators that are refused, what the model can have in their place.
var instead = map[string]string{}

func init() {
	for _, o := range []struct{ hint, names string }{
		{"x.amax(dim) and F.max_pool2d are supported, other choices by value are not; or export the model up to it", "TopK Unique Compress"},
		{"F.interpolate is supported, sampling at other places is not; or export the model up to it", "GridSample AffineGrid MaxUnpool"},
		{"for patches without overlap write reshape and permute, or F.pixel_shuffle, in place of F.fold", "Col2Im"},
		{"sin, cos, tan, tanh, exp and log are supported: write the function with them", "Acos Acosh Asin Asinh Atan Atanh"},
		{"export the network before its quantization, with weights of floating type", "QuantizeLinear DequantizeLinear DynamicQuantizeLinear QLinearConv QLinearMatMul ConvInteger MatMulInteger"},
		{"export the backbone or the classifier without the detection head", "NonMaxSuppression RoiAlign MaxRoiPool"},
		{hintEval, "Bernoulli Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike"},
		{"recurrent layers are not supported; export the convolutional part alone", "RNN LSTM GRU"},
		{hintControl, "SequenceAt SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceLength SequenceMap SplitToSequence ConcatFromSequence Optional OptionalGetElement OptionalHasElement"},
	} {
		for _, name := range strings.Fields(o.names) {
			instead[name] = o.hint
		}
	}
}

// The hints of refusals: options of the exporters that avoid what is refused.
const (
	hintOptimizer = "export with torch.onnx.export(model, image, \"net.onnx\") and without an optimizer of the runtime behind it"
	hintOpset     = "export with opset_version=18"
	hintControl   = "export without control flow: torch.onnx.export(model.eval(), image, \"net.onnx\", dynamo=True) unrolls loops over fixed numbers"
	hintConstant  = "export with a fixed image size, so that shapes and indices are constants"
	hintEval      = "export model.eval()"
	hintOther     = "write this part of the model with other operators (docs/notes/onnx.md lists them), or export the model up to it"
)
