package weights

import (
	"fmt"
	"math"
)

// check panics on tensors that no file can hold.
func check(tensors []Tensor) {
	seen := map[string]bool{"__metadata__": true}
	for _, t := range tensors {
		if seen[t.Name] {
			panic(fmt.Sprintf("weights: the name %q is reserved or stands twice", t.Name))
		}
		seen[t.Name] = true
		if t.Float != nil && t.Int != nil {
			panic(fmt.Sprintf("weights: tensor %q has floats and integers", t.Name))
		}
		have := len(t.Float) + len(t.Int)
		if n, err := elements(t.Shape, math.MaxInt/8); err != nil || n != have {
			panic(fmt.Sprintf("weights: tensor %q has the shape %v and %d elements", t.Name, t.Shape, have))
		}
	}
}
