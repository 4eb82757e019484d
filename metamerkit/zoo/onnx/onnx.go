// Package onnx runs models from ONNX files as members of the zoo. Importing it
// registers the family "onnx". A layer is called by the name of its ONNX node, or
// by the name of the node's first output; "logits" is the graph's output.
//
// Each operator has a function here (see register) that computes it as ONNX defines it
// in the opset of the file. What a function does not read of a node (an attribute, an
// input, an output) is refused, and so is everything else that is not computed rightly.
package onnx

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

func init() {
	zoo.RegisterFamily("onnx", Open)
	zoo.RegisterSum("onnx", Sum)
}

// logits is the name under which the output is marked.
const logits = "logits"

// FileError reports an ONNX file that cannot be used: damaged, hostile, or with
// something in it that this package does not compute rightly. Err is then an
// *Unsupported.
type FileError struct {
	Path, Problem string
	Err           error
}

func (e *FileError) Error() string {
	return fmt.Sprintf("onnx: %s cannot be used: %s", e.Path, e.Problem)
}

func (e *FileError) Unwrap() error { return e.Err }

// Open reads the file of a card whose family is "onnx" (a zoo.Opener), and files that it
// refers to in its folder. The card's config must be empty. The graph takes one float32
// input [N,3,S,S] or [N,S,S,3], N dynamic or 1 and S the card's size, and gives one
// output [N,classes]. Errors are a *weights.ChecksumError or a *FileError.
func Open(c *card.Card, path string) (*zoo.Net, error) {
	if err := zoo.Config(c.Config, &struct{}{}); err != nil {
		return nil, err
	}
	data, own, err := weights.ReadVerified(path, "")
	if err != nil {
		return nil, err
	}
	beside := &folder{path: path}
	n, err := parse(data, c.Input.Size, beside)
	// The file's own sum is that of a card that was written without the files beside it.
	sum := beside.sum(own)
	if want := c.Weights.SHA256; !strings.HasPrefix(own, want) && !strings.HasPrefix(sum, want) {
		return nil, &weights.ChecksumError{Path: path, Got: sum, Want: want}
	}
	if err != nil {
		return nil, &FileError{path, err.Error(), err}
	}
	n.classes = c.Classes
	for _, st := range slices.Sorted(maps.Keys(c.Stages)) {
		if layer := c.Stages[st].Layer; !n.has(layer) {
			near := metamer.Unknown("layer", layer, n.names())
			problem := fmt.Sprintf("the card's %s stage is layer %q, which the graph does not have or which does not depend on the image", st, layer)
			if len(near.Nearest) > 0 {
				problem += ": did you mean " + strings.Join(near.Nearest, " or ") + "?"
			}
			return nil, &FileError{Path: path, Problem: fmt.Sprintf("%s (metamers models layers %s --size %d lists them all)", problem, path, c.Input.Size)}
		}
	}
	return &zoo.Net{Forward: n.forward, Weights: n.weights, Names: n.tensors, SHA256: sum, Derived: zoo.NewDerived()}, nil
}
