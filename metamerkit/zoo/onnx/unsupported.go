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
	Hint      string // how to export the model without it, "" where nothing general can be said
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
	if e.Hint != "" {
		s.WriteString("; " + e.Hint)
	}
	return s.String()
}

// The hints of refusals: options of the exporters that avoid what is refused.
const (
	hintOptimizer = "export with torch.onnx.export(model, image, \"net.onnx\") and without an optimizer of the runtime behind it"
	hintOpset     = "export with opset_version=18"
	hintControl   = "export without control flow: torch.onnx.export(model.eval(), image, \"net.onnx\", dynamo=True) unrolls loops over fixed numbers"
	hintConstant  = "export with a fixed image size, so that shapes and indices are constants"
	hintEval      = "export model.eval()"
)
