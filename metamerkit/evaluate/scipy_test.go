package evaluate

import (
	_ "embed"
	"encoding/json"
	"math"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

//go:embed testdata/scipy.json
var scipyJSON []byte // made by testdata/reference.py

func TestAgainstSciPy(t *testing.T) {
	var golden struct {
		Pairs []struct {
			Name                             string
			A, B                             []float32
			Pearson, Spearman, SNR, Relative float64
			Ranks                            []float64
		}
	}
	if err := json.Unmarshal(scipyJSON, &golden); err != nil {
		t.Fatal(err)
	}
	if len(golden.Pairs) < 7 {
		t.Fatalf("%d pairs in testdata/scipy.json, expected 7", len(golden.Pairs))
	}
	for _, p := range golden.Pairs {
		a, b := NewVector(p.A), NewVector(p.B)
		for _, c := range []struct {
			what      string
			got, want float64
		}{{"Pearson", Pearson(a, b), p.Pearson}, {"Spearman", Spearman(a, b), p.Spearman}, {"SNR", SNR(a, b), p.SNR}, {"relative", Relative(a, b), p.Relative}} {
			if !(math.Abs(c.got-c.want) <= 1e-11*max(1, math.Abs(c.want))) {
				t.Errorf("%s: %s = %.15g, SciPy has %.15g", p.Name, c.what, c.got, c.want)
			}
		}
		for i, want := range p.Ranks {
			if a.ranks[i] != want {
				t.Errorf("%s: rank %d = %v, SciPy has %v", p.Name, i, a.ranks[i], want)
			}
		}
	}
}

// What SciPy leaves undefined has a value here, which never passes.
func TestDegenerate(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	plain, flat, zero := NewVector([]float32{1, 2, 4}), NewVector([]float32{.1, .1, .1}), NewVector(make([]float32, 3))
	acts := Held{}
	for i := range 46 {
		acts = append(acts, []float32{float32(i), float32(i * i % 7), 3})
	}
	null := nullFrom(t, acts)
	for name, v := range map[string]Vector{
		"constant": flat, "zero": zero, "NaN": NewVector([]float32{1, nan, 4}), "Inf": NewVector([]float32{1, inf, 4}),
		"all NaN": NewVector([]float32{nan, nan, nan}),
	} {
		e := null.Test(0, plain, v, 1, 1)
		if e.Verdict != metamer.Fail || e.Why == "" {
			t.Errorf("%s: %+v, expected a failure with a reason", name, e)
		}
		if e.Pearson != 0 {
			t.Errorf("%s: Pearson %v, expected 0", name, e.Pearson)
		}
		if _, err := json.Marshal(e); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := Relative(plain, zero); got != 1 {
		t.Errorf("relative distance of zero = %v, expected 1", got)
	}
	if got := SNR(plain, zero); got != 0 {
		t.Errorf("SNR of zero = %v, expected 0", got)
	}
	if Relative(zero, zero) != 0 || SNR(zero, zero) != maxSNR {
		t.Errorf("two zero vectors: distance %v, SNR %v, expected 0 and %v", Relative(zero, zero), SNR(zero, zero), maxSNR)
	}
}
