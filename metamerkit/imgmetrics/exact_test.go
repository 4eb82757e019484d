package imgmetrics

import (
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
)

// colours are images of one row whose grey is what the arithmetic of whole numbers
// says; a backend that divides by multiplying with the reciprocal misses halves.
func colours() (pixels []float32, grey []float64) {
	for r := range 256 {
		for g := range 256 {
			for b := range 256 {
				if s := 299*r + 587*g + 114*b; s%1000 == 500 {
					pixels = append(pixels, float32(r)/255, float32(g)/255, float32(b)/255)
					grey = append(grey, float64((s+500)/1000))
				}
			}
		}
	}
	return pixels, grey
}

// The grey of colours whose luma is a half rounds up, on every backend.
func TestGreyRoundsHalvesUp(t *testing.T) {
	pixels, want := colours()
	if len(want) < 10000 {
		t.Fatalf("%d colours have a half", len(want))
	}
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		r, err := NewRunner(b.Compute, Metric{Name: "grey", Stats: func(f *Frame) *Node { return Reshape(f.Grey(), f.B, -1) },
			Value: func(s []float64, h, w int) Value {
				for i, v := range s {
					if v != want[i] {
						t.Fatalf("grey of %v is %v, expected %v", pixels[3*i:3*i+3], v, want[i])
					}
				}
				return Value{}
			}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Measure(pixels, nil, 1, len(want)); err != nil {
			t.Fatal(err)
		}
	})
}

// PIQE scales levels so that the brightest is 255; where that gives a half, it rounds
// up. Found with top levels of which XLA's 1/top is a little small.
func TestScaleRoundsHalvesUp(t *testing.T) {
	var pixels []float32
	var want []float64
	for top := 1; top <= 255; top++ {
		for y := range 256 {
			v := min(y, top)
			for range 3 {
				pixels = append(pixels, float32(v)/255)
			}
			want = append(want, math.Floor(float64(510*v+top)/float64(2*top)))
		}
	}
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		i := 0
		r, err := NewRunner(b.Compute, Metric{Name: "scaled", Stats: func(f *Frame) *Node { return Reshape(scaled(f.Grey()), f.B, -1) },
			Value: func(s []float64, h, w int) Value {
				for _, v := range s {
					if v != want[i] {
						t.Errorf("level %d of top level %d is scaled to %v, expected %v", i%256, i/256+1, v, want[i])
					}
					i++
				}
				return Value{}
			}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Measure(pixels, nil, 1, 256); err != nil {
			t.Fatal(err)
		}
		if i != len(want) {
			t.Errorf("%d levels seen of %d", i, len(want))
		}
	})
}
