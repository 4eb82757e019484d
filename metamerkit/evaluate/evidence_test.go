package evaluate

import (
	"math"
	"testing"
)

// Values from SciPy 1.17.1: pearsonr, spearmanr, rankdata.
func TestAgainstSciPy(t *testing.T) {
	a := NewVector([]float32{1, 2, 2, 4, -3, 0.5})
	b := NewVector([]float32{2, 1, 3, 3, -1, 0})
	for _, c := range []struct {
		what      string
		got, want float64
	}{
		{"Pearson", Pearson(a, b), wantPearson}, {"Spearman", Spearman(a, b), wantSpearman},
		{"SNR", SNR(a, b), 10 * math.Log10(34.25/8.25)}, {"relative", Relative(a, b), math.Sqrt(8.25 / 34.25)},
	} {
		if math.Abs(c.got-c.want) > 1e-12 {
			t.Errorf("%s = %.15f, expected %.15f", c.what, c.got, c.want)
		}
	}
	for i, want := range []float64{3, 4.5, 4.5, 6, 1, 2} {
		if a.ranks[i] != want {
			t.Errorf("rank %d = %v, expected %v", i, a.ranks[i], want)
		}
	}
}

func TestJudge(t *testing.T) {
	acts := []Vector{NewVector([]float32{1, 2, 3, 4}), NewVector([]float32{4, 1, 3, 2}), NewVector([]float32{9, 0, 2, -1})}
	null := NullOf("m", acts, 1000, 1)
	if null.Pairs != 6 {
		t.Errorf("%d pairs of 3 images, expected all 6", null.Pairs)
	}
	if got := NullOf("m", acts, 4, 1); got.Pairs != 4 || got != NullOf("m", acts, 4, 1) {
		t.Errorf("4 pairs asked for, got %+v, not repeatable", got)
	}
	if e := Judge(0, null, acts[0], acts[0], 3, 3); e.Verdict != "pass" || e.SNR != maxSNR || e.Loss != 0 {
		t.Errorf("an identical activation gives %+v", e)
	}
	if e := Judge(0, null, acts[0], acts[0], 3, 4); e.Verdict != "fail" || e.SameClass {
		t.Errorf("another class gives %+v", e)
	}
	if e := Judge(0, null, acts[0], acts[1], 3, 3); e.Verdict != "fail" || e.Why == "" {
		t.Errorf("another image gives %+v", e)
	}
	if e := Judge(0, NullOf("m", acts[:1], 10, 1), acts[0], acts[0], 3, 3); e.Verdict != "none" {
		t.Errorf("one image gives %+v", e)
	}
}
