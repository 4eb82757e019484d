// Package zootest holds families of the zoo against golden values of timm and
// torchvision, and every card against what any model has to do.
//
// Neither weights nor images of these tests are in files: both sides make them by
// the formula of formula.go, which testdata/scripts/zoo_golden.py repeats.
package zootest

import (
	"hash/fnv"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/shapes"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// bits returns the i-th number for a key: splitmix64 of FNV-1a of the key, plus i.
func bits(key string) func(i int) uint64 {
	h := fnv.New64a()
	h.Write([]byte(key))
	seed := h.Sum64()
	return func(i int) uint64 {
		z := seed + uint64(i) + 0x9e3779b97f4a7c15
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		return z ^ z>>31
	}
}

// uniform returns the i-th number for a key in [-1,1).
func uniform(key string) func(i int) float64 {
	b := bits(key)
	return func(i int) float64 { return float64(b(i)>>11)*0x1p-52 - 1 }
}

// Weight returns the elements, in C order, of the tensor called key of a state
// dict, of the given shape in PyTorch's layout: kernels and matrices uniform with
// a width that keeps the activations' size, gains and variances about 1, layer
// scales about a half, biases and means small, positions and tokens up to a half.
// depthwise widens depthwise kernels, which in some networks stand between layers that
// shrink; it is 1 otherwise.
func Weight(key string, shape []int, depthwise float64) []float32 {
	n := 1
	for _, d := range shape {
		n *= d
	}
	last := key[strings.LastIndex(key, ".")+1:]
	position := slices.ContainsFunc([]string{"pos_embed", "position", "token", "class_emb"}, func(p string) bool { return strings.Contains(key, p) })
	shift, width := 0.0, 0.5
	switch {
	case last == "running_var" || len(shape) == 1 && last == "weight":
		shift, width = 1, 0.25
	case len(shape) == 1 && strings.Contains(key, "gamma"):
		shift, width = 0.5, 0.25
	case len(shape) <= 1:
		width = 0.1
	case len(shape) == 4 && !position:
		width = math.Sqrt(6 / float64(n/shape[0]))
		if shape[1] == 1 {
			width *= depthwise
		}
	case len(shape) == 2 && !position:
		width = math.Sqrt(3 / float64(shape[1]))
	}
	u := uniform(key)
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(shift + float64(width*u(i))) // the conversion forbids a fused multiply-add
	}
	return out
}

// pixels returns the images of the golden tests [2,S,S,3], noise on a ramp, and the
// start [2,S,S,3], noise of mean 0.5 and deviation 0.05.
func pixels(size int) (images, start []float32) {
	a, b := uniform("images"), uniform("start")
	for n := range 2 {
		for y := range size {
			for x := range size {
				for c := range 3 {
					i := len(images)
					ramp := float64((3*x+5*y+40*c+64*n)%128) / 128
					images = append(images, float32(0.5*((a(i)+1)*0.5)+0.5*ramp))
					start = append(start, float32(0.5+float64(0.0866*b(i))))
				}
			}
		}
	}
	return images, start
}

// Open sets a card's family up with weights by the formula (see Weight), by way of a file, so
// that the reader and its layout rules are tested too.
func Open(t testing.TB, c *card.Card, depthwise float64) *zoo.Net {
	t.Helper()
	forward, err := zoo.Build(c)
	if err != nil {
		t.Fatal(err)
	}
	want, err := zoo.Variables(c, forward)
	if err != nil {
		t.Fatal(err)
	}
	var all []weights.Tensor
	for _, path := range slices.Sorted(maps.Keys(want)) {
		key := strings.ReplaceAll(strings.TrimPrefix(path, "/"), "/", ".")
		dims := pytorch(key, want[path])
		all = append(all, weights.Tensor{Name: key, Shape: dims, Float: Weight(key, dims, depthwise)})
	}
	file := filepath.Join(t.TempDir(), "weights.safetensors")
	if err := weights.WriteSafetensors(file, all, nil); err != nil {
		t.Fatal(err)
	}
	unsummed := *c
	unsummed.Weights.SHA256 = ""
	net, err := zoo.Open(&unsummed, file)
	if err != nil {
		t.Fatal(err)
	}
	return net
}

// pytorch returns the shape in PyTorch's layout of a variable of this project's.
func pytorch(key string, s shapes.Shape) []int {
	d := slices.Clone(s.Dimensions)
	switch {
	case len(d) == 4: // HWIO → OIHW
		return []int{d[3], d[2], d[0], d[1]}
	case len(d) == 2 && strings.HasSuffix(key, "weight"): // [in,out] → [out,in]
		return []int{d[1], d[0]}
	}
	return d
}
