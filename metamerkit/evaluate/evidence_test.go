package evaluate

import (
	"context"
	"errors"
	"slices"
	"testing"
)

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

// From inner products the null is the same.
func TestNullFromGram(t *testing.T) {
	ref, met := sampled(9, 40, 3)
	ref = append(ref, met[0], ref[0], make([]float32, 40)) // an image twice, a dead layer
	vectors := make([]Vector, len(ref))
	for i, a := range ref {
		vectors[i] = NewVector(a)
	}
	values, err := NewGram(context.Background(), ref, 0)
	if err != nil {
		t.Fatal(err)
	}
	ranked, err := NewGram(context.Background(), Ranked(ref), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, pairs := range []int{1000, 20, 5} {
		want := NullOf("m", vectors, pairs, 8)
		got, err := NullFrom("m", values, ranked, pairs, 8)
		if err != nil || got.Pairs != want.Pairs {
			t.Fatalf("%+v, expected %+v: %v", got, want, err)
		}
		near(t, "Pearson", got.Pearson, want.Pearson, 1e-12)
		near(t, "Spearman", got.Spearman, want.Spearman, 1e-12)
		near(t, "SNR", got.SNR, want.SNR, 1e-9)
	}
}

// In blocks the null is the same, to the bit, and no more than two blocks are held.
func TestNullOver(t *testing.T) {
	ref, _ := sampled(23, 40, 3)
	vectors := make([]Vector, len(ref))
	for i, a := range ref {
		vectors[i] = NewVector(a)
	}
	for _, pairs := range []int{1000, 60, 3} {
		want := NullOf("m", vectors, pairs, 8)
		for _, size := range []int{1, 4, 22, 23, 50} {
			reads := 0
			got, err := NullOver("m", len(vectors), size, pairs, 8, func(from, to int) ([]Vector, error) {
				if reads++; to-from > size || from%size != 0 {
					t.Fatalf("images %d to %d in blocks of %d", from, to, size)
				}
				return slices.Clone(vectors[from:to]), nil
			})
			k := (len(vectors) + size - 1) / size
			if err != nil || got != want || reads > k*(k+1)/2 {
				t.Errorf("blocks of %d: %+v after %d reads, expected %+v: %v", size, got, reads, want, err)
			}
		}
	}
	if _, err := NullOver("m", 9, 2, 10, 1, func(int, int) ([]Vector, error) { return nil, errors.New("gone") }); err == nil {
		t.Error("a read that fails is no error")
	}
}
