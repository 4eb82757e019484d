package evaluate

import "testing"

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

func TestModelWithoutClasses(t *testing.T) {
	acts := []Vector{NewVector([]float32{1, 2, 3, 4}), NewVector([]float32{4, 1, 3, 2})}
	e := Judge(0, NullOf("m", acts, 10, 1), acts[0], acts[0], -1, -1)
	if e.Verdict != "pass" || e.SameClass {
		t.Errorf("a model without classes gives %+v, expected a pass and no class", e)
	}
}

// The bound is the maximum of the pairs, with SNR taken in both directions.
func TestNullIsTheMaximum(t *testing.T) {
	acts := []Vector{NewVector([]float32{1, 2, 3, 4}), NewVector([]float32{40, 10, 30, 20}), NewVector([]float32{9, 0, 2, -1})}
	got := NullOf("m", acts, 6, 1)
	p, s, snr := -2., -2., -1e9
	for i := range acts {
		for j := range acts {
			if i != j {
				p, s, snr = max(p, Pearson(acts[i], acts[j])), max(s, Spearman(acts[i], acts[j])), max(snr, SNR(acts[i], acts[j]))
			}
		}
	}
	if got.Pearson != p || got.Spearman != s || got.SNR != snr || p == 1 {
		t.Errorf("null %+v, expected Pearson %v, Spearman %v, SNR %v", got, p, s, snr)
	}
	if few := NullOf("m", acts, 2, 3); few.Pearson > p || few.SNR > snr || few.Pairs != 2 {
		t.Errorf("2 pairs give %+v, beyond all pairs %+v", few, got)
	}
}
