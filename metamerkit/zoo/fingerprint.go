package zoo

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/stage"
)

// Fingerprint returns the SHA-256 of the graph that forward draws for a card: of its
// operations, its layers, its gradient and its constants, but for those with more elements
// than graph.MinConstValueSizeToKeep. It does not depend on the values of weights.
func Fingerprint(c *card.Card, forward Forward) (string, error) {
	h := sha256.New()
	var layers []string
	draw := func(part func(s *model.Scope, images *Node)) error {
		return sketch(nil, func(s *model.Scope, g *Graph) {
			part(s, Parameter(g, "images", shapes.Make(dtypes.Float32, 1, c.Input.Size, c.Input.Size, 3)))
			io.WriteString(h, g.String())
		})
	}
	err := draw(func(s *model.Scope, images *Node) {
		stage.Each(images.Graph(), func() { forward(s, Prepare(c.Input, images)) }, func(name string, x *Node) {
			layers = append(layers, name)
			fmt.Fprintf(h, "%q #%d\n", name, x.Id())
		})
	})
	if err != nil {
		return "", fmt.Errorf("zoo: model %s: drawing its graph: %w", c.Name, err)
	}
	// A model without layers, or with one that has no gradient, fails where it is used.
	if len(layers) > 0 {
		draw(func(s *model.Scope, images *Node) {
			acts := stage.Capture(images.Graph(), stage.Options{PassReLU: true}, func() { forward(s, Prepare(c.Input, images)) }, layers...)
			sum := ReduceAllSum(acts[0])
			for _, a := range acts[1:] {
				sum = Add(sum, ReduceAllSum(a))
			}
			Gradient(sum, images)
		})
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
