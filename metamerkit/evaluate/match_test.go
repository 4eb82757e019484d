package evaluate

import (
	"context"
	_ "embed"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// nullFrom is the null distribution of activations.
func nullFrom(t *testing.T, acts Held) *Null {
	t.Helper()
	values, err := NewGram(context.Background(), acts, 0)
	if err != nil {
		t.Fatal(err)
	}
	ranks, err := NewGram(context.Background(), Ranked(acts), 0)
	if err != nil {
		t.Fatal(err)
	}
	n := len(acts)
	null, err := NewNull("m", metamer.NullRef{Name: "set", Count: n, SHA256: "sum", Pairs: n * (n - 1) / 2}, values, ranks)
	if err != nil {
		t.Fatal(err)
	}
	return null
}

func TestVerdicts(t *testing.T) {
	acts, _ := sampled(46, 40, 3)
	null, first := nullFrom(t, acts), NewVector(acts[0])
	if null.Pairs != 1035 || null.Set != "set" || null.SHA256 != "sum" || null.Of() != "1035 pairs of set" {
		t.Errorf("%+v of 46 images", null.Null)
	}
	if e := null.Test(0, first, first, 3, 3); e.Verdict != metamer.Pass || e.SNR != maxSNR || e.Loss != 0 || e.PPearson != 1./1036 || e.PSpearman != 1./1036 || e.PSNR != 1./1036 {
		t.Errorf("an identical activation gives %+v", e)
	}
	if e := null.Test(0, first, first, 3, 4); e.Verdict != metamer.Fail || e.SameClass {
		t.Errorf("another class gives %+v", e)
	}
	if e := null.Test(0, first, NewVector(acts[1]), 3, 3); e.Verdict != metamer.Fail || e.Why == "" || e.PPearson < 2./1036 {
		t.Errorf("another image gives %+v", e)
	}
	// A model without classes.
	if e := null.Test(0, first, first, -1, -1); e.Verdict != metamer.Pass || e.SameClass {
		t.Errorf("a model without classes gives %+v, expected a pass and no class", e)
	}
}

// Without a null set, or with one of too few pairs, nothing passes and nothing fails.
func TestNotTested(t *testing.T) {
	acts, _ := sampled(45, 40, 3) // 990 pairs
	for why, null := range map[string]*Null{
		"the null set set has 990 pairs, expected at least 1000": nullFrom(t, acts),
		"there is no null set": Untestable("m", metamer.NullRef{Name: metamer.NoNull}),
	} {
		for _, class := range []int{3, 4} {
			e := null.Test(0, NewVector(acts[0]), NewVector(acts[1]), 3, class)
			if e.Verdict != metamer.NotTested || e.Why != why || e.PPearson != 0 || e.Loss == 0 || e.SameClass != (class == 3) {
				t.Errorf("%+v, expected no test: %s", e, why)
			}
		}
	}
	if _, err := NewNull("m", metamer.NullRef{Name: "set", Pairs: 7}, &Gram{N: 3}, &Gram{N: 3}); err == nil || !strings.Contains(err.Error(), "7 pairs") {
		t.Errorf("pairs that are not those of the set: %v", err)
	}
}

// From inner products the null is that of the pairs themselves, with SNR taken in both
// directions.
func TestNullOfPairs(t *testing.T) {
	acts, met := sampled(9, 40, 3)
	acts = append(acts, met[0], acts[0], make([]float32, 40)) // an image twice, a dead layer
	got := nullFrom(t, acts)
	var pearson, spearman, snr []float64
	for i := range acts {
		for j := range i {
			a, b := NewVector(acts[i]), NewVector(acts[j])
			pearson, spearman, snr = append(pearson, Pearson(a, b)), append(spearman, Spearman(a, b)), append(snr, max(SNR(a, b), SNR(b, a)))
		}
	}
	for _, c := range []struct {
		what      string
		largest   float64
		got, want []float64
		tolerance float64
	}{{"Pearson", got.Pearson, got.pearson, pearson, 1e-12}, {"Spearman", got.Spearman, got.spearman, spearman, 1e-12}, {"SNR", got.SNR, got.snr, snr, 1e-9}} {
		slices.Sort(c.want)
		if len(c.got) != 66 || c.largest != c.got[65] {
			t.Fatalf("%s: %d values, the largest %v", c.what, len(c.got), c.largest)
		}
		for i := range c.want {
			near(t, c.what, c.got[i], c.want[i], c.tolerance)
		}
	}
}

// p counts the null values that reach a value.
func TestPValue(t *testing.T) {
	null := []float64{-1, 0, 0, 0.5}
	for v, want := range map[float64]float64{-2: 1, -1: 1, -0.5: 4. / 5, 0: 4. / 5, 0.2: 2. / 5, 0.5: 2. / 5, 0.6: 1. / 5, math.Inf(-1): 1} {
		if got := pValue(null, v); got != want {
			t.Errorf("p of %v is %v, expected %v", v, got, want)
		}
	}
}

//go:embed testdata/null.json
var nullJSON []byte // made by testdata/null.py

// The null distribution, p and verdict are those of SciPy and NumPy.
func TestNullAgainstNumPy(t *testing.T) {
	var golden struct {
		Images   Held
		Pairs    int
		Largest  [3]float64
		Metamers []struct {
			Ref, Met  []float32
			Values, P [3]float64
			Pass      bool
		}
	}
	if err := json.Unmarshal(nullJSON, &golden); err != nil {
		t.Fatal(err)
	}
	null := nullFrom(t, golden.Images)
	if null.Pairs != golden.Pairs || len(golden.Metamers) != 5 {
		t.Fatalf("%d pairs and %d metamers, NumPy has %d pairs", null.Pairs, len(golden.Metamers), golden.Pairs)
	}
	for i, got := range []float64{null.Pearson, null.Spearman, null.SNR} {
		near(t, "largest", got, golden.Largest[i], 1e-9)
	}
	for i, m := range golden.Metamers {
		e := null.Test(i, NewVector(m.Ref), NewVector(m.Met), 0, 0)
		for k, got := range []float64{e.Pearson, e.Spearman, e.SNR} {
			near(t, "value", got, m.Values[k], 1e-9)
		}
		if p := [3]float64{e.PPearson, e.PSpearman, e.PSNR}; p != m.P || (e.Verdict == metamer.Pass) != m.Pass {
			t.Errorf("metamer %d: p %v, %s; NumPy has %v, pass %v", i, p, e.Verdict, m.P, m.Pass)
		}
	}
}
