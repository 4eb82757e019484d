package main

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/engine"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// agreement is the largest difference from PyTorch that is taken for rounding, as a share of
// the largest value of the entry.
const agreement = 1e-3

// checkPhotograph lets the model look at a photograph: what it computes must be finite.
func checkPhotograph(e *engine.Engine, m *card.Card) error {
	set, err := images.Open([]string{"photos:1"}, images.Options{Size: m.Input.Size, Filter: m.Input.Filter, Crop: m.Input.Crop})
	if err != nil {
		return err
	}
	var layers []string
	for _, s := range metamer.Stages {
		if l := m.Stages[s].Layer; !slices.Contains(layers, l) {
			layers = append(layers, l)
		}
	}
	if m.Classes > 0 && !slices.Contains(layers, "logits") {
		layers = append(layers, "logits")
	}
	acts, _, err := e.Activations(m.Name, layers, set, min(set.Len(), 16))
	if err != nil {
		return err
	}
	for i, l := range layers {
		bad := 0
		low, high := math.Inf(1), math.Inf(-1)
		for _, v := range acts[i][0] {
			if x := float64(v); math.IsNaN(x) || math.IsInf(x, 0) {
				bad++
			} else {
				low, high = min(low, x), max(high, x)
			}
		}
		switch {
		case bad > 0:
			return fmt.Errorf("%s: for the photograph %s %d of the %d activations of %s are NaN or infinite: the weights or the preprocessing (--mean, --std) are wrong",
				m.Name, set.Names[0], bad, len(acts[i][0]), l)
		case low == high && len(acts[i][0]) > 1:
			return fmt.Errorf("%s: for the photograph %s all %d activations of %s are %v: the layer tells nothing about images", m.Name, set.Names[0], len(acts[i][0]), l, low)
		}
		if l == layers[len(layers)-1] {
			fmt.Printf("checked: all activations of the photograph %s are finite; %s from %.3g to %.3g\n", set.Names[0], l, low, high)
		}
	}
	return nil
}

// checkAgainst compares activations with those that PyTorch computed for the images of an
// .npz file, entry by entry.
func checkAgainst(e *engine.Engine, m *card.Card, known []zoo.Layer, path string) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%s: "+format, append([]any{path}, args...)...)
	}
	file, err := weights.OpenArrays(path)
	if err != nil {
		return err
	}
	x := file["images"]
	if x == nil {
		return bad("it has no entry images, the pixels in [0,1] that the model was given (metamers models add --help has a script)")
	}
	set, err := imagesOf(x, m.Input.Size)
	if err != nil {
		return bad("%w", err)
	}
	var names []string
	for _, l := range known {
		names = append(names, l.Name)
	}
	var entries, layers []string
	for name := range file {
		if name != "images" {
			entries = append(entries, name)
		}
	}
	if len(entries) == 0 {
		return bad("it has images but no activations")
	}
	rank := func(name string) int { return slices.Index(names, zoo.LayerOf(m, name)) }
	slices.SortFunc(entries, func(a, b string) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	for _, name := range entries {
		if rank(name) < 0 && m.Family != "onnx" {
			return bad("%w (metamers models layers lists them)", metamer.Unknown("layer", name, names))
		}
		layers = append(layers, zoo.LayerOf(m, name))
	}
	acts, shapes, err := e.Activations(m.Name, layers, set, min(set.Len(), 16))
	if err != nil {
		return bad("%w", err)
	}
	fmt.Printf("compared with %s, %d images:\n", filepath.Base(path), set.Len())
	worst, where := 0.0, ""
	for i, name := range entries {
		theirs, err := arranged(file[name], set.Len(), shapes[i])
		if err != nil {
			return bad("%w", err)
		}
		diff, size := 0.0, 0.0
		for k, ours := range acts[i] {
			for j, v := range ours {
				w := float64(theirs[k*len(ours)+j])
				if d := math.Abs(float64(v) - w); d > diff || math.IsNaN(d) {
					diff = d
				}
				size = max(size, math.Abs(w))
			}
		}
		share := diff / max(size, 1e-30)
		fmt.Printf("  %s %v: largest difference %.2g, of values up to %.3g (%.1g)\n", name, shapes[i], diff, size, share)
		if share > worst || math.IsNaN(share) {
			worst, where = share, name
		}
	}
	if !(worst <= agreement) {
		return bad("%s differs by %.2g of its largest value, expected at most %g. Usual causes: another mean or std (--mean, --std), images that were normalised, a model that was not in eval(), other weights", where, worst, agreement)
	}
	return nil
}

// imagesOf makes a set of an array of images, [N,3,S,S] or [N,S,S,3].
func imagesOf(x *weights.Tensor, size int) (*images.Set, error) {
	s := x.Shape
	switch {
	case x.Float == nil && len(s) == 4:
		return nil, fmt.Errorf("images are %s, expected float32 pixels in [0,1] (of uint8 images, x.astype(\"float32\") / 255)", x.DType)
	case len(s) == 3:
		return nil, fmt.Errorf("images are %v, without an axis for the images, expected [N,3,%d,%d] (of one image, x[None])", s, size, size)
	}
	if x.Float == nil || len(s) != 4 || s[0] == 0 {
		return nil, fmt.Errorf("images are %s %v, expected float32 [N,3,%d,%d]", x.DType, s, size, size)
	}
	pixels := x.Float
	switch {
	case s[1] == 3 && s[2] == size && s[3] == size:
		pixels = channelsLast(pixels, s)
	case s[3] == 3 && s[1] == size && s[2] == size:
	default:
		return nil, fmt.Errorf("images are %v, expected [N,3,%d,%d]: the model reads %d×%d pixels (--size)", s, size, size, size, size)
	}
	for _, v := range pixels {
		if !(v >= 0 && v <= 1) {
			return nil, fmt.Errorf("images contain the value %v, expected pixels in [0,1] before normalisation", v)
		}
	}
	set := &images.Set{Name: "check", Size: size, Pixels: pixels}
	for i := range s[0] {
		set.Names, set.Labels = append(set.Names, fmt.Sprint(i)), append(set.Labels, -1)
	}
	return set, nil
}

// arranged brings PyTorch's activations [N,C,H,W] into the order of ours [H,W,C]; axes of
// length 1 do not count.
func arranged(t *weights.Tensor, n int, ours []int) ([]float32, error) {
	if t.Float == nil || len(t.Shape) == 0 || t.Shape[0] != n {
		return nil, fmt.Errorf("%s is %s %v, expected float32 of %d images", t.Name, t.DType, t.Shape, n)
	}
	long := func(shape []int) (out []int) {
		for _, d := range shape {
			if d != 1 {
				out = append(out, d)
			}
		}
		return out
	}
	if len(t.Shape) == 4 && len(ours) == 3 && slices.Equal([]int{t.Shape[2], t.Shape[3], t.Shape[1]}, ours) {
		return channelsLast(t.Float, t.Shape), nil
	}
	if slices.Equal(long(t.Shape[1:]), long(ours)) {
		return t.Float, nil
	}
	order := ""
	if len(ours) == 3 {
		order = fmt.Sprintf(" or, channels first, %v", []int{n, ours[2], ours[0], ours[1]})
	}
	return nil, fmt.Errorf("%s has the shape %v, expected %v%s", t.Name, t.Shape, append([]int{n}, ours...), order)
}

// channelsLast is [N,C,H,W] as [N,H,W,C].
func channelsLast(v []float32, s []int) []float32 {
	out := make([]float32, len(v))
	channels, area := s[1], s[2]*s[3]
	for i := range s[0] {
		for c := range channels {
			for p := range area {
				out[(i*area+p)*channels+c] = v[(i*channels+c)*area+p]
			}
		}
	}
	return out
}
