package train

import (
	_ "embed"
	"encoding/json"
	"math"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
)

//go:embed testdata/optimizers.json
var optimizersJSON []byte

// Both optimisers take PyTorch's steps (testdata/optimizers.py).
func TestOptimizersAgreeWithPyTorch(t *testing.T) {
	var want map[string][][]float64
	if err := json.Unmarshal(optimizersJSON, &want); err != nil {
		t.Fatal(err)
	}
	decay := map[string]float64{"sgd": .01, "adamw": .05}
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		for name, steps := range want {
			u := &updater{o: Options{Optimizer: name, Momentum: .9, Decay: decay[name]}}
			store := model.NewStore()
			for _, v := range []string{"/a/weight", slotPath + "/a/weight", secondPath + "/a/weight"} {
				value := tensors.FromShape(shapes.Make(dtypes.Float32, 2, 3))
				if v == "/a/weight" {
					value = tensors.FromValue([][]float32{{.5, -1, 2}, {.25, 0, -.75}})
				}
				if _, err := store.CreateVariable(v, value); err != nil {
					t.Fatal(err)
				}
			}
			e, err := model.NewExec(b.Compute, store, func(s *model.Scope, hyper *Node) *Node {
				u.hyper = hyper
				w := s.Store().GetVariable("/a/weight").NodeValue(hyper.Graph())
				curve := Const(w.Graph(), [][]float32{{1, 2, 3}, {1, 2, 3}})
				loss := ReduceAllSum(Add(MulScalar(Mul(Square(w), curve), .5), Sin(w)))
				u.UpdateGraph(s, w.Graph(), loss)
				return loss
			})
			if err != nil {
				t.Fatal(err)
			}
			for i, rate := range []float32{.1, .2, .15, .05, .01} {
				if _, err := e.Call([]float32{rate, 1, 0, float32(i + 1)}); err != nil {
					t.Fatal(err)
				}
				for k, v := range tensors.MustCopyFlatData[float32](store.GetVariable("/a/weight").MustValue()) {
					if math.Abs(float64(v)-steps[i][k]) > 1e-5 {
						t.Fatalf("%s, step %d, weight %d: %v, expected %v", name, i, k, v, steps[i][k])
					}
				}
			}
		}
	})
}

func TestRatesAndAverages(t *testing.T) {
	o, err := Options{LR: 1}.withDefaults(32)
	if err != nil {
		t.Fatal(err)
	}
	peak := 0
	for i := range 100 {
		r := o.rate(float64(i), 100)
		if r <= 0 || r > 1 {
			t.Errorf("one cycle: rate %v at step %d", r, i)
		}
		if r > o.rate(float64(peak), 100) {
			peak = i
		}
	}
	if peak != 30 || math.Abs(o.rate(0, 100)-.04) > 1e-9 || o.rate(99, 100) > 2e-3 {
		t.Errorf("one cycle: %v at first, largest at step %d, %v at last; expected .04, 30, nearly 0", o.rate(0, 100), peak, o.rate(99, 100))
	}
	o.Schedule, o.Warmup = "cosine", .1
	if o.rate(0, 100) > .1 || math.Abs(o.rate(10, 100)-1) > 1e-9 || math.Abs(o.rate(55, 100)-.5) > 1e-9 {
		t.Errorf("cosine: %v %v %v", o.rate(0, 100), o.rate(10, 100), o.rate(55, 100))
	}
	// Averages of 1, 2, 3 … from half of eight steps on: the mean of steps 4 to 7.
	a, err := parseAverage("swa:0.5")
	if err != nil {
		t.Fatal(err)
	}
	mean := 0.0
	for i := range 8 {
		k := a.keep(i, 8)
		mean = mean*k + float64(i)*(1-k)
	}
	if math.Abs(mean-5.5) > 1e-9 {
		t.Errorf("swa:0.5 of 0 to 7 is %v, expected 5.5", mean)
	}
	if e, _ := parseAverage("ema:0.99"); e.keep(0, 9) != .1 || e.keep(100000, 9) != .99 {
		t.Errorf("ema keeps %v at first and %v later", e.keep(0, 9), e.keep(100000, 9))
	}
	for _, bad := range []string{"ema", "ema:1", "ema:x", "swa:-1", "mean:.5"} {
		if _, err := parseAverage(bad); err == nil {
			t.Errorf("average %q was taken", bad)
		}
	}
}
