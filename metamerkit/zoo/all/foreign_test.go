package all

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// foreign are the models of testdata/golden/foreign: family and config.
var foreign = map[string][2]string{
	"clip":           {"vit", `{"patch": 32, "width": 12, "depth": 3, "heads": 3, "classes": 7, "pre_norm": true, "activation": "quick_gelu", "eps": 1e-5}`},
	"dino":           {"vit", `{"patch": 14, "width": 12, "depth": 3, "heads": 3, "classes": 7, "registers": 4, "patch_pos_only": true, "layer_scale": true}`},
	"swin":           {"swin", `{"window": 4, "width": 6, "depths": [2, 1, 1, 1], "heads": [1, 2, 3, 4], "classes": 7}`},
	"next2":          {"convnext", `{"depths": [1, 1, 1, 1], "dims": [4, 6, 8, 10], "grn": true, "classes": 7}`},
	"vit_convstem":   {"vit", `{"patch": 16, "width": 12, "depth": 3, "heads": 3, "classes": 7, "conv_stem": 4}`},
	"next_convstem2": {"convnext", `{"depths": [1, 1, 1, 1], "dims": [4, 6, 8, 10], "stem": "conv2", "classes": 7}`},
	"next_convstem3": {"convnext", `{"depths": [1, 1, 1, 1], "dims": [8, 6, 8, 10], "stem": "conv3", "classes": 7}`},
	"flat_lite":      {"efficientnet", `{"variant": "lite", "arch": [["ds_r1_k3_s1_c8"], ["ir_r2_k3_s2_e6_c16"], ["ir_r3_k5_s2_e2_c24"]], "stem_size": 8, "num_features": 20, "tf": true, "classes": 7}`},
	"flat_efficient": {"efficientnet", `{"arch": [["ds_r1_k3_s1_c8_se0.25"], ["ir_r2_k3_s2_e6_c16_se0.25"], ["ir_r3_k5_s2_e2_c24_se0.25"]], "stem_size": 8, "num_features": 20, "fix_stem_head": true, "tf": true, "classes": 7}`},
}

// open reads a foreign file with the logits that timm computes of it.
func open(t *testing.T, name, config string) (c *card.Card, net *zoo.Net, want []float64) {
	t.Helper()
	const dir = "../../../testdata/golden/foreign/"
	data, err := os.ReadFile(dir + "foreign.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Models map[string]struct {
			Size   int
			Logits []float64
		}
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	c = &card.Card{Name: name, Family: foreign[name][0], Config: json.RawMessage(config), Input: card.Input{
		Size: golden.Models[name].Size, Mean: [3]float64{.5, .5, .5}, Std: [3]float64{.25, .25, .25}}}
	if net, err = zoo.Open(c, dir+name+".safetensors"); err != nil {
		t.Fatal(err)
	}
	return c, net, golden.Models[name].Logits
}

// read returns a layer of a net for the two images of layouts.py.
func read(t *testing.T, c *card.Card, net *zoo.Net, layer string) []float32 {
	t.Helper()
	size := c.Input.Size
	var pixels []float32
	for n := range 2 {
		for y := range size {
			for x := range size {
				for k := range 3 {
					pixels = append(pixels, float32((3*x+5*y+40*k+64*n)%128)/128)
				}
			}
		}
	}
	paths, _, err := net.Reads(c.Input, layer)
	if err != nil {
		t.Fatal(err)
	}
	store, err := zoo.NewStore(net.Weights, paths)
	if err != nil {
		t.Fatal(err)
	}
	store.WithVariableAsConst(true)
	g := NewGraph(backendtest.Open(t, backend.Go).Compute, c.Name)
	x := Parameter(g, "images", shapes.Make(dtypes.Float32, 2, size, size, 3))
	if err := g.Compile(net.Tap(store.RootScope(), c.Input, x, stage.Options{}, layer)[0]); err != nil {
		t.Fatal(err)
	}
	return tensors.MustCopyFlatData[float32](g.Run(tensors.FromFlatDataAndDimensions(pixels, 2, size, size, 3))[0])
}

// Files under the names of OpenAI and OpenCLIP, of Meta's DINOv2 and ConvNeXt V2, of
// Microsoft's Swin and of efficientnet_pytorch give what timm makes of them.
func TestForeignNames(t *testing.T) {
	for name, f := range foreign {
		t.Run(name, func(t *testing.T) {
			c, net, want := open(t, name, f[1])
			got := read(t, c, net, "logits")
			if len(got) != len(want) {
				t.Fatalf("%d logits, expected %d", len(got), len(want))
			}
			for i, w := range want {
				if !(math.Abs(float64(got[i])-w) <= 1e-4+1e-3*math.Abs(w)) {
					t.Errorf("logit %d is %v, timm's %v", i, got[i], w)
				}
			}
		})
	}
}

// The embedding of a CLIP tower is its projection at length 1, and zero-shot logits
// are scaled cosines with class embeddings of any length.
func TestZeroShot(t *testing.T) {
	c, net, raw := open(t, "clip", `{"patch": 32, "width": 12, "depth": 3, "heads": 3, "classes": 0, "embedding": 7, "pre_norm": true, "activation": "quick_gelu", "eps": 1e-5}`)
	classes := [][]float32{{1, 0, 0, 0, 0, 0, 0}, {0, -3, 0, 0, 4, 0, 0}, {1, 1, 1, 1, 1, 1, 1}}
	shot, err := zoo.ZeroShot(net, classes, 50)
	if err != nil {
		t.Fatal(err)
	}
	e, logits := read(t, c, net, "embedding"), read(t, c, shot, "logits")
	for n := range 2 {
		v := raw[7*n : 7*n+7]
		length := 0.0
		for _, x := range v {
			length += x * x
		}
		length = math.Sqrt(length)
		for i, x := range v {
			if !(math.Abs(float64(e[7*n+i])-x/length) <= 1e-4) {
				t.Errorf("embedding %d of image %d is %v, expected %v", i, n, e[7*n+i], x/length)
			}
		}
		for k, want := range []float64{v[0] / length, (4*v[4] - 3*v[1]) / 5 / length, (v[0] + v[1] + v[2] + v[3] + v[4] + v[5] + v[6]) / math.Sqrt(7) / length} {
			if !(math.Abs(float64(logits[3*n+k])-50*want) <= 1e-2) {
				t.Errorf("logit %d of image %d is %v, expected %v", k, n, logits[3*n+k], 50*want)
			}
		}
	}
	for name, bad := range map[string][][]float32{"none": nil, "of two lengths": {{1, 2}, {1}}, "zero": {{0, 0}}, "not finite": {{float32(math.Inf(1)), 0}}} {
		if _, err := zoo.ZeroShot(net, bad, 0); err == nil {
			t.Errorf("class embeddings that are %s were taken", name)
		}
	}
	if shot, err = zoo.ZeroShot(net, [][]float32{{1, 2}}, 0); err != nil {
		t.Fatal(err)
	}
	if _, _, err := shot.Reads(c.Input, "logits"); err == nil {
		t.Error("class embeddings of another width than the model's were taken")
	}
}
