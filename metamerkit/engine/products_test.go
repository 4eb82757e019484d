package engine

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/synth"
)

// onDevice multiplies tiles of a size on XLA, or skips.
func onDevice(t testing.TB, rows, cols int) *multiplier {
	t.Helper()
	m, err := newMultiplier(backendtest.Open(t, backend.XLA), newDevice(), rows, cols)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Similarities from products on the device are those of NumPy and SciPy (see package
// evaluate's goldens), whole and in blocks.
func TestProductsAgainstNumPy(t *testing.T) {
	m := onDevice(t, 8, 32)
	data, err := os.ReadFile("../../testdata/golden/evaluate.json")
	if err != nil {
		t.Fatal(err)
	}
	var g struct {
		Activations []struct {
			Name     string
			Ref      [][]float32
			Matrices map[string]struct{ Ref [][]float64 }
		}
	}
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	compared, worst := 0, 0.0
	for _, c := range g.Activations {
		for _, memory := range []int64{0, int64(8 * 4 * len(c.Ref[0]))} {
			for kind, want := range c.Matrices {
				src := evaluate.Source(evaluate.Held(c.Ref))
				if kind == "spearman" {
					src = evaluate.Ranked(src)
				}
				gram, err := evaluate.NewGramWith(context.Background(), src, memory, m.products)
				if err != nil {
					t.Fatal(err)
				}
				got, err := gram.Matrix(kind)
				if err != nil {
					t.Fatal(err)
				}
				for i := range got.N {
					for j := range got.N {
						off := math.Abs(got.Values[i*got.N+j] - want.Ref[i][j])
						if worst = max(worst, off); !(off <= 1e-12) {
							t.Errorf("%s, %s of %d and %d: %v, NumPy has %v", c.Name, kind, i, j, got.Values[i*got.N+j], want.Ref[i][j])
						}
						compared++
					}
				}
			}
		}
	}
	t.Logf("%d similarities, largest difference %.1e", compared, worst)
	if compared < 1000 {
		t.Errorf("%d similarities compared", compared)
	}
}

// More images than a tile has rows, more values than it has columns, an offset that
// costs float32 its digits, constant and infinite activations: as on the host.
func TestProductsAsOnHost(t *testing.T) {
	const rows, cols = 32, 256
	m := onDevice(t, rows, cols)
	const n, dim = 2*rows + 11, 3*cols + 123
	rng := rand.New(rand.NewPCG(1, 2))
	acts := make(evaluate.Held, n)
	for i := range acts {
		acts[i] = make([]float32, dim)
		for k := range acts[i] {
			acts[i][k] = 100 + float32(rng.NormFloat64())
		}
	}
	for k := range acts[3] {
		acts[3][k] = 7
	}
	acts[rows+2][5] = float32(math.Inf(1))
	for _, memory := range []int64{0, 8 * dim * 20} {
		host, err := evaluate.NewGram(context.Background(), acts, memory)
		if err != nil {
			t.Fatal(err)
		}
		there, err := evaluate.NewGramWith(context.Background(), acts, memory, m.products)
		if err != nil {
			t.Fatal(err)
		}
		worst := 0.0
		for i := range n {
			for j := range n {
				for what, of := range map[string]func(g *evaluate.Gram) float64{
					"pearson": func(g *evaluate.Gram) float64 { return g.Pearson(i, j) }, "cosine": func(g *evaluate.Gram) float64 { return g.Cosine(i, j) },
				} {
					a, b := of(host), of(there)
					if math.IsNaN(a) != math.IsNaN(b) || math.Abs(a-b) > 1e-13 {
						t.Fatalf("%s of %d and %d: %v on the device, %v on the host", what, i, j, b, a)
					}
					if !math.IsNaN(a) {
						worst = max(worst, math.Abs(a-b))
					}
				}
			}
		}
		t.Logf("blocks within %d bytes: largest difference %.1e", memory, worst)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := m.products(ctx, acts, acts, make([]float64, n), make([]float64, n)); err == nil {
		t.Error("a cancelled product has no error")
	}
}

// 1000 images × 10 observers × 3 stages of ViT-B's size (197×768 values), references
// and metamers, all measures of similarity with intervals, in 4 GB: METAMERS_LONG=1;
// METAMERS_UNITS sets fewer observers times stages.
func TestViTBSizeFits(t *testing.T) {
	if os.Getenv("METAMERS_LONG") == "" {
		t.Skip("takes half an hour; METAMERS_LONG=1 runs it")
	}
	const n, dim = 1000, 197 * 768
	units := 30
	if s := os.Getenv("METAMERS_UNITS"); s != "" {
		if _, err := fmt.Sscan(s, &units); err != nil {
			t.Fatal(err)
		}
	}
	e := New(backendtest.Open(t, backend.XLA))
	q := Evaluation{}.WithDefaults()
	side := func(seed uint64) *reading {
		products, err := e.products(n, dim)
		if err != nil {
			t.Fatal(err)
		}
		r := &reading{n: n, memory: q.Memory, probe: &synth.Probe{Shapes: [][]int{{197, 768}}}, logits: -1, products: products}
		r.keep, r.have = int64(n)*dim*4 <= r.memory/3, n
		if !r.keep {
			t.Fatal("activations of this size are computed again: the test holds them")
		}
		rng := rand.New(rand.NewPCG(seed, 0))
		common := make([]float32, dim) // so that similarities are not all 0
		for k := range common {
			common[k] = float32(rng.Float64())
		}
		for range n {
			a := make([]float32, dim)
			w, x := float32(rng.Float64()), rng.Uint64()
			for k := range a {
				x ^= x << 13
				x ^= x >> 7
				x ^= x << 17
				a[k] = w*common[k] + float32(x>>40)/(1<<24)
			}
			r.held = append(r.held, a)
		}
		return r
	}
	began := time.Now()
	for u := range units {
		p := &observation{q: q}
		p.ref, p.met = side(uint64(2*u)), side(uint64(2*u+1))
		for _, m := range []string{"jsd", "cka", "rsa"} {
			at := time.Now()
			if err := p.measure(context.Background(), m); err != nil {
				t.Fatal(err)
			}
			if u == 0 {
				t.Logf("%s: %v", m, time.Since(at).Round(time.Millisecond))
			}
		}
		for _, r := range p.rows {
			if math.IsNaN(r.Value) {
				t.Errorf("%s is not a number: %s", r.Measure, r.Reason)
			}
		}
		t.Logf("%d of %d, %v, most memory so far %d MB", u+1, units, time.Since(began).Round(time.Second), peakMB(t))
	}
	if got := peakMB(t); got > 4000 {
		t.Errorf("%d MB at most, expected at most 4000", got)
	}
}

// peakMB is the largest resident size of this process so far.
func peakMB(t *testing.T) (mb int) {
	t.Helper()
	f, err := os.Open("/proc/self/status")
	if err != nil {
		t.Skipf("the resident size cannot be told here: %v", err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), "VmHWM:"); ok {
			if _, err := fmt.Sscan(rest, &mb); err != nil {
				t.Fatal(err)
			}
		}
	}
	return mb / 1024
}

// cpuSeconds is what this process has used, which other work on the machine changes
// less than the time that passes.
func cpuSeconds(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// The Gram matrix of 500 images at a third of ViT-B's size, on the device and on the
// host.
func BenchmarkGram(b *testing.B) {
	m := onDevice(b, tileRows, tileCols)
	const n, dim = 500, 197 * 256
	acts := make(evaluate.Held, n)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range acts {
		acts[i] = make([]float32, dim)
		for k := range acts[i] {
			acts[i][k] = rng.Float32()
		}
	}
	for name, with := range map[string]evaluate.Products{"device": m.products, "host": nil} {
		b.Run(name, func(b *testing.B) {
			before := cpuSeconds(b)
			defer func() { b.ReportMetric((cpuSeconds(b)-before)/float64(b.N), "cpu-s/op") }()
			for range b.N {
				if _, err := evaluate.NewGramWith(context.Background(), acts, 0, with); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
