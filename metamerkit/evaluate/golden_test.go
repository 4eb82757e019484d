package evaluate

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"
)

// golden is testdata/golden/evaluate.json, made by testdata/scripts/evaluate_golden.py
// with SciPy, scikit-learn, statsmodels and NumPy.
type golden struct {
	Activations []struct {
		Name     string
		Ref, Met [][]float32
		Matrices map[string]struct{ Ref, Met [][]float64 }
		JSD      []struct {
			Kind        string
			Bins        int
			P, Q        []float64
			Value       float64
			MillerMadow float64 `json:"miller_madow"`
		}
		RSA         map[string]struct{ Pearson, Spearman float64 }
		CKA         float64
		CKADebiased float64 `json:"cka_debiased"`
	}
	Nearest []struct {
		Name string
		P, Q []float64
		K    int
		Bits float64
	}
	Bootstrap []struct {
		Name, Method string
		Data         []float64
		Indices      [][]int
		Low, High    float64
	}
	McNemar []struct {
		N     int
		OnlyA int `json:"only_a"`
		OnlyB int `json:"only_b"`
		P     float64
	}
	Wilcoxon []struct {
		Name string
		D    []float64
		W, P float64
	}
	Holm   struct{ P, Adjusted []float64 }
	Wilson []struct {
		K, N      int
		Low, High float64
	}
	Categories struct {
		Small  map[string][]float64
		Logits [][]float32
	}
}

func readGolden(t *testing.T) (g golden) {
	t.Helper()
	data, err := os.ReadFile("../../testdata/golden/evaluate.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance*max(1, math.Abs(want))) {
		t.Errorf("%s = %.15g, expected %.15g", what, got, want)
	}
}

func TestSimilaritiesAgainstSciPy(t *testing.T) {
	ctx := context.Background()
	boot := Bootstrap{Resamples: 100}
	for _, c := range readGolden(t).Activations {
		for _, memory := range []int64{0, int64(8 * 4 * len(c.Ref[0]))} { // whole, and in blocks of four images
			mats := map[string][2]*Matrix{}
			for kind, want := range c.Matrices {
				var m [2]*Matrix
				for i, side := range []struct {
					acts [][]float32
					want [][]float64
				}{{c.Ref, want.Ref}, {c.Met, want.Met}} {
					got, err := newMatrix(ctx, Held(side.acts), kind, memory)
					if err != nil {
						t.Fatal(err)
					}
					for a := range got.N {
						for b := range got.N {
							near(t, c.Name+" "+kind, got.Values[a*got.N+b], side.want[a][b], 1e-12)
						}
					}
					m[i] = got
				}
				mats[kind] = m
				a, rank, why, err := RSA(m[0], m[1], boot)
				if err != nil || why != "" {
					t.Fatal(err, why)
				}
				near(t, c.Name+" RSA "+kind, a.Value, c.RSA[kind].Pearson, 1e-9)
				near(t, c.Name+" RSA of ranks "+kind, rank, c.RSA[kind].Spearman, 1e-11)
				if !(a.Low < a.Value && a.Value < a.High) {
					t.Errorf("%s RSA %s: %v", c.Name, kind, a)
				}
			}
			for _, w := range c.JSD {
				m := mats[w.Kind]
				j, err := NewJSD(m[0], m[1], w.Bins, boot)
				if err != nil {
					t.Fatal(err)
				}
				near(t, c.Name+" JSD "+w.Kind, j.Value, w.Value, 1e-12)
				near(t, c.Name+" JSD, Miller-Madow, "+w.Kind, j.MillerMadow, w.MillerMadow, 1e-12)
				p, _ := m[0].Pairs()
				q, _ := m[1].Pairs()
				edges := Edges(p, q, w.Bins)
				left := slices.Clone(w.P)
				for i, bin := range digitize(p, edges) {
					if left[bin]--; left[bin] < 0 {
						t.Errorf("%s %s: pair %d of the references is in bin %d, not in NumPy's", c.Name, w.Kind, i, bin)
					}
				}
			}
			ref, err := NewGram(ctx, Held(c.Ref), memory)
			if err != nil {
				t.Fatal(err)
			}
			met, err := NewGram(ctx, Held(c.Met), memory)
			if err != nil {
				t.Fatal(err)
			}
			cka, why, err := CKA(ref, met, boot)
			if err != nil || why != "" {
				t.Fatal(err, why)
			}
			near(t, c.Name+" CKA", cka.Value, c.CKA, 1e-9) // the offset costs digits
			debiased, err := CKADebiased(ref, met)
			if err != nil {
				t.Fatal(err)
			}
			near(t, c.Name+" debiased CKA", debiased, c.CKADebiased, 1e-6)
		}
	}
}

func TestNearestAgainstScikitLearn(t *testing.T) {
	for _, c := range readGolden(t).Nearest {
		near(t, "JSD of "+c.Name, max(jsdNearest(c.P, c.Q, c.K), 0), c.Bits, 1e-9)
	}
}

func TestBootstrapAgainstSciPy(t *testing.T) {
	for _, c := range readGolden(t).Bootstrap {
		b := Bootstrap{Resamples: len(c.Indices), Level: 0.9, Method: c.Method}
		low, high, err := b.interval(len(c.Data), func(w []int) float64 {
			sum, n := 0.0, 0
			for i, k := range w {
				sum, n = sum+float64(k)*c.Data[i], n+k
			}
			return sum / float64(n)
		}, func(r int, w []int) {
			for _, i := range c.Indices[r] {
				w[i]++
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		near(t, c.Name+" "+c.Method+" low", low, c.Low, 1e-12)
		near(t, c.Name+" "+c.Method+" high", high, c.High, 1e-12)
	}
}

func TestComparisonsAgainstStatsmodels(t *testing.T) {
	g := readGolden(t)
	for _, c := range g.McNemar {
		a, b := make([]float64, c.N+1), make([]float64, c.N+1)
		for i := range c.OnlyA {
			a[i] = 1
		}
		for i := range c.OnlyB {
			b[c.OnlyA+i] = 1
		}
		a[c.N] = math.NaN()
		x, y, p, err := McNemar(a, b)
		if err != nil || x != c.OnlyA || y != c.OnlyB {
			t.Errorf("%d and %d images, expected %d and %d: %v", x, y, c.OnlyA, c.OnlyB, err)
		}
		near(t, "McNemar", p, c.P, 1e-12)
	}
	for _, c := range g.Wilcoxon {
		w, p, err := Wilcoxon(append(c.D, 0, math.NaN()))
		if err != nil {
			t.Fatal(err)
		}
		near(t, c.Name+" Wilcoxon's statistic", w, c.W, 1e-12)
		near(t, c.Name+" Wilcoxon's p", p, c.P, 1e-10)
	}
	for i, p := range Holm(append(g.Holm.P, math.NaN()))[:len(g.Holm.P)] {
		near(t, "Holm", p, g.Holm.Adjusted[i], 1e-12)
	}
	for _, c := range g.Wilson {
		low, high := Wilson(c.K, c.N, 0.95)
		near(t, "Wilson low", low, c.Low, 1e-9)
		near(t, "Wilson high", high, c.High, 1e-9)
	}
}

func TestCategoriesAgainstNumPy(t *testing.T) {
	g := readGolden(t).Categories
	seen := map[int]string{}
	for _, c := range Categories {
		for _, k := range c.Classes {
			if seen[k] != "" || k < 0 || k > 999 {
				t.Errorf("class %d is in %s and %s", k, seen[k], c.Name)
			}
			seen[k] = c.Name
			if Categories[CategoryOf(k)].Name != c.Name {
				t.Errorf("class %d is in %d", k, CategoryOf(k))
			}
		}
	}
	if len(seen) != 207 || len(Categories) != 16 || CategoryOf(0) != -1 {
		t.Errorf("%d classes in %d categories, expected 207 in 16", len(seen), len(Categories))
	}
	for n, logits := range g.Logits {
		sum := 0.0
		for _, v := range logits {
			sum += math.Exp(float64(v))
		}
		best, at := 0.0, -1
		for c, category := range Categories {
			mean := 0.0
			for _, k := range category.Classes {
				mean += math.Exp(float64(logits[k])) / sum / float64(len(category.Classes))
			}
			if want, ok := g.Small[category.Name]; ok {
				near(t, category.Name, mean, want[n], 1e-9)
			}
			if mean > best {
				best, at = mean, c
			}
		}
		if got := Category(logits); got != at {
			t.Errorf("category %d, expected %d", got, at)
		}
	}
	only := make([]float32, 1000)
	only[499] = 9
	if got := Category(only); Categories[got].Name != "knife" {
		t.Errorf("a knife is a %s", Categories[got].Name)
	}
	if Category(only[:10]) != -1 {
		t.Error("ten logits have a category")
	}
}
