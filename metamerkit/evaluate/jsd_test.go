package evaluate

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
)

// sampled draws activations of references and of metamers that keep half of them.
func sampled(n, dim int, seed uint64) (ref, met Held) {
	common, rng := rand.New(rand.NewPCG(99, 1)), rand.New(rand.NewPCG(seed, 1))
	shared := make([]float64, dim)
	for k := range shared {
		shared[k] = common.NormFloat64()
	}
	for range n {
		a, b := make([]float32, dim), make([]float32, dim)
		for k := range a {
			z := rng.NormFloat64()
			a[k], b[k] = float32(z+shared[k]), float32(0.5*z+0.5*rng.NormFloat64()+shared[k])
		}
		ref, met = append(ref, a), append(met, b)
	}
	return ref, met
}

// newMatrix returns the similarities of a kind of activations.
func newMatrix(ctx context.Context, src Source, kind string, memory int64) (*Matrix, error) {
	if kind == "spearman" {
		src = Ranked(src)
	}
	g, err := NewGram(ctx, src, memory)
	if err != nil {
		return nil, err
	}
	return g.Matrix(kind)
}

func pearson(t *testing.T, src Source) *Matrix {
	t.Helper()
	m, err := newMatrix(context.Background(), src, "pearson", 0)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The interval holds the divergence of a large sample, in the bins of the small one,
// about as often as it says, even with 16 images; and why "basic" is the default.
func TestJSDIntervalCovers(t *testing.T) {
	const large, n, trials = 500, 16, 60
	ref, met := sampled(large, 30, 7)
	p, err := pearson(t, ref).Pairs()
	if err != nil {
		t.Fatal(err)
	}
	q, err := pearson(t, met).Pairs()
	if err != nil {
		t.Fatal(err)
	}
	one := make([]int, large)
	for i := range one {
		one[i] = 1
	}
	hits := map[string]int{}
	for trial := range trials {
		r, m := sampled(n, 30, uint64(100+trial))
		small, changed := pearson(t, r), pearson(t, m)
		a, _ := small.Pairs()
		b, _ := changed.Pairs()
		edges := Edges(a, b, DefaultBins)
		h := &histograms{n: large, bins: DefaultBins, ref: digitize(p, edges), met: digitize(q, edges)}
		truth := divergence(h.count(h.ref, one), h.count(h.met, one))
		for _, method := range []string{"", "percentile", "bca"} {
			j, err := NewJSD(small, changed, 0, Bootstrap{Resamples: 300, Method: method})
			if err != nil {
				t.Fatal(err)
			}
			if j.Low <= truth && truth <= j.High {
				hits[method]++
			}
		}
	}
	t.Logf("of %d intervals hold the true value: %v", trials, hits)
	if hits[""] < trials*7/10 || hits[""] < hits["percentile"] || hits[""] < hits["bca"] {
		t.Errorf("the default interval holds the true value %d times of %d, percentile and BCa %d and %d", hits[""], trials, hits["percentile"], hits["bca"])
	}
}

func TestJSDExtremes(t *testing.T) {
	ref, met := sampled(12, 30, 1)
	r, m := pearson(t, ref), pearson(t, met)
	same, err := NewJSD(r, r, 0, Bootstrap{Resamples: 100})
	if err != nil || same.Value != 0 || same.Nearest > 0.05 || same.Low != 0 || same.High != 0 {
		t.Errorf("equal distributions: %+v, %v", same, err)
	}
	apart := &Matrix{N: 12, Kind: "pearson", Values: make([]float64, 144)}
	for i := range apart.Values {
		apart.Values[i] = -1 + float64(i)/1e5
	}
	far, err := NewJSD(r, apart, 0, Bootstrap{Resamples: 100})
	if err != nil || far.Value != 1 || far.High > 1 || math.Abs(far.Nearest-1) > 0.02 {
		t.Errorf("distributions apart: %+v, %v", far, err)
	}
	j, err := NewJSD(r, m, 0, Bootstrap{Resamples: 100, Seed: 4})
	if err != nil {
		t.Fatal(err)
	}
	again, _ := NewJSD(r, m, 0, Bootstrap{Resamples: 100, Seed: 4})
	other, _ := NewJSD(r, m, 0, Bootstrap{Resamples: 100, Seed: 5})
	if *j != *again || j.Low == other.Low {
		t.Errorf("seed 4 twice gives %+v and %+v, seed 5 %+v", j, again, other)
	}
	if j.MillerMadow >= j.Value || j.Floor <= 0 || j.Floor >= 1 {
		t.Errorf("%+v", j)
	}
	// Which is which does not matter.
	back, _ := NewJSD(m, r, 0, Bootstrap{Resamples: 100})
	near(t, "JSD the other way", back.Value, j.Value, 1e-14)
}

// Inputs without a value give a reason, not a number.
func TestDegenerateSimilarities(t *testing.T) {
	nan := float32(math.NaN())
	ref, met := sampled(6, 20, 1)
	good := pearson(t, ref)
	replace := func(i int, a []float32) Held {
		h := append(Held{}, met...)
		h[i] = a
		return h
	}
	flat := make([]float32, 20)
	for i := range flat {
		flat[i] = 0.1
	}
	bad := append([]float32{}, met[2]...)
	bad[7] = nan
	var why Undefined
	for name, src := range map[string]Held{"constant": replace(2, flat), "NaN": replace(2, bad), "Inf": replace(2, append(bad[:19:19], float32(math.Inf(1))))} {
		for _, kind := range Similarities {
			m, err := newMatrix(context.Background(), src, kind, 0)
			if err != nil {
				t.Fatal(err)
			}
			g := &Matrix{N: 6, Kind: kind, Values: good.Values}
			_, err = NewJSD(g, m, 0, Bootstrap{})
			_, _, _, err2 := RSA(g, m, Bootstrap{})
			if name == "constant" && kind == "cosine" { // has a direction
				if err != nil || err2 != nil {
					t.Errorf("%s %s: %v, %v", name, kind, err, err2)
				}
				continue
			}
			if !errors.As(err, &why) || !errors.As(err2, &why) {
				t.Errorf("%s %s: %v and %v, expected Undefined", name, kind, err, err2)
			}
			if v := m.Values[2*6+4]; !math.IsNaN(v) || math.IsNaN(m.Values[1*6+4]) {
				t.Errorf("%s %s: similarity %v with the flawed image", name, kind, v)
			}
		}
		g, err := NewGram(context.Background(), src, 0)
		if err != nil {
			t.Fatal(err)
		}
		r, _ := NewGram(context.Background(), ref, 0)
		_, _, err = CKA(r, g, Bootstrap{Resamples: 100})
		if name == "constant" == errors.As(err, &why) {
			t.Errorf("CKA with a %s activation: %v", name, err)
		}
	}
	for n := range 3 {
		one, err := newMatrix(context.Background(), ref[:n], "pearson", 0)
		if n == 0 {
			if err == nil {
				t.Error("no image has similarities")
			}
			continue
		}
		if _, err = NewJSD(one, one, 0, Bootstrap{}); !errors.As(err, &why) {
			t.Errorf("%d images: %v", n, err)
		}
	}
	all := Held{flat, flat, flat, flat}
	g, err := NewGram(context.Background(), all, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err = CKA(g, g, Bootstrap{}); !errors.As(err, &why) {
		t.Errorf("CKA of equal images: %v", err)
	}
	if _, err = newMatrix(context.Background(), Held{{1, 2}, {1, 2, 3}}, "pearson", 0); err == nil {
		t.Error("activations of different length are accepted")
	}
	if _, err = newMatrix(context.Background(), ref, "person", 0); err == nil {
		t.Error("the similarity \"person\" is accepted")
	}
}

// wide makes activations as wide as those of a ViT-B/16 (197 tokens of 768) when they
// are asked for, and watches the heap meanwhile.
type wide struct {
	n    int
	most int64
}

func (w *wide) Len() int { return w.n }
func (w *wide) Dim() int { return 197 * 768 }

func (w *wide) Read(_ context.Context, from, to int) ([][]float32, error) {
	out := make([][]float32, 0, to-from)
	for i := from; i < to; i++ {
		rng := rand.New(rand.NewPCG(uint64(i), 3))
		a := make([]float32, w.Dim())
		for k := range a {
			a[k] = rng.Float32()
		}
		out = append(out, a)
	}
	w.most = max(w.most, heap())
	return out, nil
}

// heap returns the number of bytes that are reachable. The second collection frees what
// the finalizers of the first one let go of.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Similarities of activations that would take 58 MB come from blocks of 12 MB in all.
func TestSimilaritiesInBlocks(t *testing.T) {
	before := heap()
	w := &wide{n: 96}
	const memory = 12 << 20
	g, err := NewGram(context.Background(), w, memory)
	if err != nil {
		t.Fatal(err)
	}
	used := w.most - before
	t.Logf("%d MB of activations, at most %.1f MB held", w.n*w.Dim()*4>>20, float64(used)/(1<<20))
	if used > memory+(4<<20) {
		t.Errorf("%d bytes are held, expected about %d", used, memory)
	}
	a, _ := w.Read(context.Background(), 5, 6)
	b, _ := w.Read(context.Background(), 90, 91)
	near(t, "Pearson across blocks", g.Pearson(5, 90), Pearson(NewVector(a[0]), NewVector(b[0])), 1e-12)
	many, _ := sampled(300, 20, 4) // several strips
	whole, err := NewGram(context.Background(), many, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range [][2]int{{0, 299}, {130, 120}, {127, 128}, {255, 256}} {
		i, j := p[0], p[1]
		near(t, "Pearson across strips", whole.Pearson(i, j), Pearson(NewVector(many[i]), NewVector(many[j])), 1e-12)
		near(t, "Pearson across strips", whole.Pearson(j, i), whole.Pearson(i, j), 0)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := NewGram(ctx, w, memory); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// BenchmarkViTB is the size of the paper: 1000 images of a ViT-B/16, with the default
// memory. MB-held is the most that was on the heap at once.
func BenchmarkViTB(b *testing.B) {
	for b.Loop() {
		w := &wide{n: 1000}
		if _, err := NewGram(context.Background(), w, 0); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(w.most>>20), "MB-held")
	}
}
