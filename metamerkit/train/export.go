package train

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
)

// Export writes a model's weights in half precision as DIR/NAME.safetensors, under
// PyTorch's names and in its layouts, and the card as DIR/NAME.json with the file's
// sum. c is changed to what the file holds.
func Export(dir string, c *card.Card, w map[string]*tensors.Tensor) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	var ts []weights.Tensor
	for _, p := range slices.Sorted(maps.Keys(w)) {
		flat, err := tensors.CopyFlatData[float32](w[p])
		if err != nil {
			return fmt.Errorf("train: %s: %w", p, err)
		}
		ts = append(ts, pytorch(p, w[p].Shape().Dimensions, flat))
	}
	c.Weights.File = c.Name + ".safetensors"
	path := filepath.Join(dir, c.Weights.File)
	if err := weights.WriteHalf(path, ts, map[string]string{"format": "pt"}); err != nil {
		return err
	}
	var err error
	if c.Weights.SHA256, err = paths.Sum(path); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("train: card of %s: %w", c.Name, err)
	}
	if _, err := card.Parse(text); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	file := filepath.Join(dir, c.Name+".json")
	if err := paths.WriteBytes(file, append(text, '\n')); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	return nil
}

// pytorch turns a variable into PyTorch's name and layout, the reverse of what
// package zoo does with a file.
func pytorch(path string, dims []int, flat []float32) weights.Tensor {
	t := weights.Tensor{Name: strings.ReplaceAll(strings.TrimPrefix(path, "/"), "/", "."), Shape: slices.Clone(dims), Float: flat}
	switch {
	case len(dims) == 4: // HWIO → OIHW
		hw, in, out := dims[0]*dims[1], dims[2], dims[3]
		v := make([]float32, len(flat))
		for p := range hw {
			for b := range in {
				for a := range out {
					v[(a*in+b)*hw+p] = flat[(p*in+b)*out+a]
				}
			}
		}
		t.Shape, t.Float = []int{out, in, dims[0], dims[1]}, v
	case len(dims) == 2 && strings.HasSuffix(path, "weight"): // [in,out] → [out,in]
		v := make([]float32, len(flat))
		for i := range dims[0] {
			for o := range dims[1] {
				v[o*dims[0]+i] = flat[i*dims[1]+o]
			}
		}
		t.Shape, t.Float = []int{dims[1], dims[0]}, v
	}
	return t
}

// Halved returns the weights as a half-precision file holds them, so that what is
// measured is what is saved.
func Halved(w map[string]*tensors.Tensor) (map[string]*tensors.Tensor, error) {
	out := map[string]*tensors.Tensor{}
	for p, t := range w {
		flat, err := tensors.CopyFlatData[float32](t)
		if err != nil {
			return nil, fmt.Errorf("train: %s: %w", p, err)
		}
		out[p] = tensors.FromFlatDataAndDimensions(weights.RoundHalf(flat), t.Shape().Dimensions...)
	}
	return out, nil
}
