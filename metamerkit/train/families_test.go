package train

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// small is a small member of each family that the project trains, and the side of
// its images.
var small = []struct {
	family, config string
	side           int
}{
	{"resnet_cifar", `{"depth":8,"classes":4}`, 8},
	{"plain_cifar", `{"widths":[6,8],"classes":4}`, 8},
	{"vit", `{"patch":4,"width":12,"depth":3,"heads":2,"classes":4,"pool":"avg"}`, 8},
	{"swin", `{"patch":2,"window":2,"width":8,"depths":[2,1,1,1],"heads":[1,2,2,2],"classes":4}`, 16},
	{"convnext", `{"depths":[1,1,1,1],"dims":[4,6,8,8],"classes":4}`, 32},
}

// The gradient of the loss with respect to all weights of a family in training
// agrees with finite differences along random directions: convolutions, depthwise
// ones and even kernels, norms, attention, tables.
func TestWeightGradients(t *testing.T) {
	for _, f := range small {
		t.Run(f.family, func(t *testing.T) {
			backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
				if b.Kind == backend.XLA && f.family != "resnet_cifar" {
					t.Skip("compiling takes long; the pure-Go backend has the same gradient graph")
				}
				c := tiny(f.family, f.config, f.side)
				forward, err := zoo.Build(c)
				if err != nil {
					t.Fatal(err)
				}
				shapes, err := zoo.Variables(c, forward)
				if err != nil {
					t.Fatal(err)
				}
				store := model.NewStore()
				for p, w := range initial(shapes, 5) {
					if _, err := store.CreateVariable(p, w); err != nil {
						t.Fatal(err)
					}
				}
				set := gratings(9, 4, f.side)
				images := tensors.FromFlatDataAndDimensions(set.Pixels, 4, f.side, f.side, 3)
				// All weights move by h times a direction; the derivative is by h.
				e, err := model.NewExec(b.Compute, store, func(s *model.Scope, h *Node) []*Node {
					g := h.Graph()
					s.Store().SetTraining(g, true)
					var paths []string
					for p := range shapes {
						paths = append(paths, p)
					}
					slices.Sort(paths)
					r := rand.New(rand.NewPCG(11, 12))
					for _, p := range paths {
						if !trainable(p) {
							continue
						}
						d := make([]float32, shapes[p].Size())
						for i := range d {
							d[i] = float32(r.NormFloat64())
						}
						v := s.Store().GetVariable(p)
						v.SetNodeValue(Add(v.NodeValue(g), Mul(ConstTensor(g, tensors.FromFlatDataAndDimensions(d, shapes[p].Dimensions...)), h)))
					}
					y := forward(s, zoo.Prepare(c.Input, ConstTensor(g, images)))
					loss := ReduceAllMean(crossEntropy(y, OneHot(Const(g, []int32{0, 1, 2, 3}), 4, dtypes.Float32)))
					return []*Node{loss, Gradient(loss, h)[0]}
				})
				if err != nil {
					t.Fatal(err)
				}
				call := func(h float32) (loss, slope float64) {
					out, err := e.Call(h)
					if err != nil {
						t.Fatal(err)
					}
					return float64(tensors.ToScalar[float32](out[0])), float64(tensors.ToScalar[float32](out[1]))
				}
				const h = 2e-4 // small: the ReLUs have kinks
				_, slope := call(0)
				up, _ := call(h) // the weights stay where a call moved them
				down, _ := call(-2 * h)
				numeric := (up - down) / (2 * h)
				t.Logf("gradient %v, finite differences %v", slope, numeric)
				if d := math.Abs(slope - numeric); !(d <= 2e-2*(math.Abs(numeric)+.1)) {
					t.Errorf("gradient along a direction is %v, finite differences give %v", slope, numeric)
				}
			})
		})
	}
}

// Families learn eight images by heart, in float32 and bfloat16, and their files
// give what the training had.
func TestLearnsByHeartAndExports(t *testing.T) {
	b := backendtest.Open(t, backend.XLA)
	for i, f := range small {
		for _, precision := range [][]string{{"f32"}, {"bf16"}, {"f32"}, {}, {}}[i] { // compiling is what takes its time
			t.Run(f.family+" "+precision, func(t *testing.T) {
				c := tiny(f.family, f.config, f.side)
				o := Options{Epochs: 60, Batch: 8, Limit: 8, HeldOut: 8, Attacked: 1, Crop: -1, NoFlip: true, Precision: precision, Optimizer: "adamw", LR: 1e-2, Clip: 1}
				r, err := Run(context.Background(), Job{Backend: b, Card: c, Train: gratings(2, 16, f.side), Options: o})
				if err != nil {
					t.Fatal(err)
				}
				if last := r.Points[len(r.Points)-1]; !(last.Accuracy == 1 && last.Loss < .2) {
					t.Errorf("accuracy %v and loss %v on eight images", last.Accuracy, last.Loss)
				}
				if precision == "f32" {
					exports(t, b, c, r, f.side)
				}
			})
		}
	}
}

// exports saves a result and holds what the zoo opens against it.
func exports(t *testing.T, b *backend.Backend, c *card.Card, r *Result, side int) {
	t.Helper()
	dir := t.TempDir()
	c.Kind, c.Training, c.Labels = "cnn", "standard", "gratings"
	c.Stages = map[string]card.Layer{"early": {Layer: "logits"}, "middle": {Layer: "logits"}, "late": {Layer: "logits"}}
	w, err := Halved(r.Weights)
	if err != nil {
		t.Fatal(err)
	}
	if err := Export(dir, c, w); err != nil {
		t.Fatal(err)
	}
	net, err := zoo.Open(c, dir+"/"+c.Weights.File)
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range w {
		got := net.Weights[p]
		if got == nil || !got.Shape().Equal(want.Shape()) {
			t.Fatalf("%s came back as %v, expected %v", p, got, want.Shape())
		}
		a, z := tensors.MustCopyFlatData[float32](got), tensors.MustCopyFlatData[float32](want)
		for i := range a {
			if a[i] != z[i] {
				t.Fatalf("%s, element %d: %v, expected %v", p, i, a[i], z[i])
			}
		}
	}
	e := NewEvaluator(b.Compute, c, net, 8, side)
	if acc, err := e.Accuracy(context.Background(), net.Weights, gratings(2, 16, side).Slice(0, 8), Attack{}, nil); err != nil || acc < .75 {
		t.Errorf("the file's model has %v of the images it was trained on right (%v)", acc, err)
	}
}

// Every architecture of the set can be drawn, has a size within a factor of four of
// the others, and its stages are layers of it.
func TestArchitectures(t *testing.T) {
	least, most := math.MaxInt, 0
	for _, a := range Architectures() {
		c, err := a.Card(a.Name+".test", 32, 10, "cifar10")
		if err != nil {
			t.Fatal(err)
		}
		forward, err := zoo.Build(c)
		if err != nil {
			t.Fatal(err)
		}
		shapes, err := zoo.Variables(c, forward)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for p, s := range shapes {
			if trainable(p) {
				n += s.Size()
			}
		}
		t.Logf("%s: %d parameters", a.Name, n)
		least, most = min(least, n), max(most, n)
		layers, err := (&zoo.Net{Forward: forward, Weights: initial(shapes, 0)}).Layers(c.Input)
		if err != nil {
			t.Fatal(err)
		}
		for stage, l := range a.Stages {
			if !slices.Contains(layers, l.Layer) {
				t.Errorf("%s: stage %s is layer %s, which is none of %v", a.Name, stage, l.Layer, layers)
			}
		}
		if _, err := a.Recipe.withDefaults(32); err != nil {
			t.Errorf("%s: %v", a.Name, err)
		}
		var config map[string]any
		if err := json.Unmarshal(c.Config, &config); err != nil || config["classes"] != 10. {
			t.Errorf("%s: config %s", a.Name, c.Config)
		}
	}
	if most > 4*least {
		t.Errorf("%d to %d parameters, expected a factor of four at most", least, most)
	}
	if _, err := FindArchitecture("resnet21"); err == nil {
		t.Error("resnet21 was found")
	}
}
