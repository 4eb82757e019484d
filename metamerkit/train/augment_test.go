package train

import (
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
)

// The graph's crops, mirrors, holes and mixtures are those of a loop over pixels.
func TestAugment(t *testing.T) {
	const n, side, classes = 6, 8, 4
	set := gratings(3, n, side)
	o := Options{Crop: 2, Cutout: 3, Mixup: 1, Smoothing: .1}
	index, shift, flip, cut := []int32{4, 0, 5}, []int32{0, 4, 2, 2, 3, 1}, []float32{0, 1, 1}, []int32{0, 0, 5, 7, 3, 4}
	const mix = .75
	one := func(k int) (x []float64, y []float64) {
		img, label := set.Image(int(index[k])), set.Labels[index[k]]
		for r := range side {
			for c := range side {
				from, to := r+int(shift[2*k])-2, c
				if flip[k] == 1 {
					to = side - 1 - c
				}
				to += int(shift[2*k+1]) - 2
				dy, dx := r-int(cut[2*k]), c-int(cut[2*k+1])
				for ch := range 3 {
					v := 0.0
					if from >= 0 && from < side && to >= 0 && to < side {
						v = float64(img[(from*side+to)*3+ch])
					}
					if dy >= -1 && dy < 2 && dx >= -1 && dx < 2 {
						v = .5
					}
					x = append(x, v)
				}
			}
		}
		for c := range classes {
			v := 0.0
			if c == label {
				v = 1
			}
			y = append(y, v)
		}
		return x, y
	}
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		out := MustExecOnceN(b.Compute, func(in []*Node) []*Node {
			x, y := augment(o, in[0], in[1], in[2], in[3], in[4], in[5], Const(in[0].Graph(), float32(mix)), classes)
			return []*Node{x, y}
		}, bytes(set), labels(set), index, tensors.FromFlatDataAndDimensions(shift, 3, 2), flip, tensors.FromFlatDataAndDimensions(cut, 3, 2))
		x, y := tensors.MustCopyFlatData[float32](out[0]), tensors.MustCopyFlatData[float32](out[1])
		for k := range index {
			ax, ay := one(k)
			bx, by := one(len(index) - 1 - k)
			for i := range ax {
				if want := mix*ax[i] + (1-mix)*bx[i]; math.Abs(float64(x[k*len(ax)+i])-want) > 1e-6 {
					t.Fatalf("image %d, value %d: %v, expected %v", k, i, x[k*len(ax)+i], want)
				}
			}
			for i := range ay {
				if want := .9*(mix*ay[i]+(1-mix)*by[i]) + .1/classes; math.Abs(float64(y[k*classes+i])-want) > 1e-6 {
					t.Fatalf("image %d, class %d: %v, expected %v", k, i, y[k*classes+i], want)
				}
			}
		}
	})
}

// Every step's randomness depends on the seed and the step alone, and an epoch shows
// every image at most once.
func TestDraws(t *testing.T) {
	o, err := Options{Batch: 8, Seed: 3, Mixup: .4}.withDefaults(8)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int32]bool{}
	for step := range 5 { // an epoch of 44 images
		d, again := o.drawStep(step, 44, 8), o.drawStep(step, 44, 8)
		for i, v := range d.index {
			if seen[v] || v < 0 || v >= 44 {
				t.Errorf("step %d shows image %d again, or none", step, v)
			}
			seen[v] = true
			if again.index[i] != v || again.shift[2*i] != d.shift[2*i] || again.flip[i] != d.flip[i] {
				t.Errorf("step %d is drawn in another way the second time", step)
			}
		}
		if d.mix != again.mix || d.mix < 0 || d.mix > 1 || d.rng[0] != again.rng[0] {
			t.Errorf("step %d: mix %v and %v", step, d.mix, again.mix)
		}
	}
	if a, b := o.drawStep(0, 44, 8), o.drawStep(5, 44, 8); a.index[0] == b.index[0] && a.index[1] == b.index[1] && a.index[2] == b.index[2] {
		t.Error("two epochs have one order")
	}
}
