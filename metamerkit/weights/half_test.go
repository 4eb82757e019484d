package weights

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
)

// Every half-precision number is written as itself, and what lies between two goes
// to the nearer one.
func TestHalf(t *testing.T) {
	for h := range 0x7c00 {
		h := uint16(h)
		v := half(h)
		if got := toHalf(v); got != h {
			t.Fatalf("%v (%#x) became %#x", v, h, got)
		}
		if got := toHalf(-v); got != h|0x8000 {
			t.Fatalf("%v became %#x", -v, got)
		}
		if h == 0x7bff {
			break
		}
		next := half(h + 1)
		middle := (float64(v) + float64(next)) / 2
		if got := toHalf(math.Nextafter32(float32(middle), 0)); got != h {
			t.Fatalf("just below the middle of %v and %v: %v", v, next, half(got))
		}
		if got := toHalf(math.Nextafter32(float32(middle), next)); got != h+1 {
			t.Fatalf("just above the middle of %v and %v: %v", v, next, half(got))
		}
		if got := toHalf(float32(middle)); got&1 != 0 {
			t.Fatalf("the middle of %v and %v went to the odd one", v, next)
		}
	}
	if toHalf(float32(math.Inf(-1))) != 0xfc00 || !math.IsNaN(float64(half(toHalf(float32(math.NaN()))))) {
		t.Error("infinity or NaN is lost")
	}
}

func TestWriteHalf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.safetensors")
	v := make([]float32, 100)
	for i := range v {
		v[i] = float32(rand.New(rand.NewPCG(1, uint64(i))).NormFloat64())
	}
	if err := WriteHalf(path, []Tensor{{Name: "a", Shape: []int{10, 10}, Float: v}, {Name: "n", Shape: []int{1}, Int: []int64{7}}}, nil); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	a := f.Tensors["a"]
	if a.DType != "F16" || f.Tensors["n"].Int[0] != 7 {
		t.Errorf("type %s, integer %v", a.DType, f.Tensors["n"].Int)
	}
	for i := range v {
		if d := math.Abs(float64(a.Float[i] - v[i])); d > math.Abs(float64(v[i]))/2048 {
			t.Errorf("%v became %v", v[i], a.Float[i])
		}
	}
	err = WriteHalf(path, []Tensor{{Name: "big", Shape: []int{1}, Float: []float32{1e5}}}, nil)
	if err == nil || !strings.Contains(err.Error(), "big is 100000") {
		t.Errorf("1e5: %v", err)
	}
}
