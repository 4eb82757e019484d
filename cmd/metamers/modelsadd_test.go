package main

import (
	"context"
	"encoding/json"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/weights"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// stateDict writes weights of a model's shapes, with a prefix before each name.
func stateDict(t *testing.T, model, path, prefix string) {
	t.Helper()
	if err := weights.WriteSafetensors(path, stateOf(t, model, "", prefix, .1), nil); err != nil {
		t.Fatal(err)
	}
}

// stateOf makes weights up to a size, of a model's shapes with settings changed.
func stateOf(t *testing.T, model, config, prefix string, size float64) []weights.Tensor {
	t.Helper()
	like, err := zoo.Lookup(model)
	if err != nil {
		t.Fatal(err)
	}
	c := *like
	if c.Config, err = zoo.MergeConfig(c.Config, json.RawMessage(config)); err != nil {
		t.Fatal(err)
	}
	forward, err := zoo.Build(&c)
	if err != nil {
		t.Fatal(err)
	}
	want, err := zoo.Variables(&c, forward)
	if err != nil {
		t.Fatal(err)
	}
	var all []weights.Tensor
	for _, p := range slices.Sorted(maps.Keys(want)) {
		d := slices.Clone(want[p].Dimensions)
		if len(d) == 4 {
			d = []int{d[3], d[2], d[0], d[1]}
		} else if len(d) == 2 {
			slices.Reverse(d)
		}
		v := make([]float32, want[p].Size())
		for i := range v {
			if v[i] = float32(size * math.Sin(float64(1+i*i%1009+len(all)))); strings.HasSuffix(p, "/running_var") {
				v[i] = max(v[i], -v[i])
			}
		}
		all = append(all, weights.Tensor{Name: prefix + strings.ReplaceAll(p[1:], "/", "."), Shape: d, Float: v})
	}
	return all
}

// adder adds models as the command does, into a cache folder of its own, on the pure-Go backend.
func adder(t *testing.T) func(c modelsAddCmd) error {
	t.Setenv("METAMERS_CACHE", t.TempDir())
	return func(c modelsAddCmd) error {
		if c.Classes == 0 {
			c.Classes = -1 // the flag's default
		}
		return c.Run(context.Background(), &globals{Quiet: true, Backend: "go"})
	}
}

func TestModelsAdd(t *testing.T) {
	add := adder(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "my weights (1).safetensors")
	stateDict(t, "resnet2b", path, "module.model.")
	if err := add(modelsAddCmd{Arch: "resnet2b", Weights: path, Training: "robust", Stages: map[string]string{"late": "logits"}}); err != nil {
		t.Fatal(err)
	}
	c, err := zoo.Lookup("my_weights_1")
	if err != nil {
		t.Fatal(err)
	}
	sum, err := weights.Sum(path)
	if err != nil {
		t.Fatal(err)
	}
	base, err := zoo.Lookup("resnet2b")
	if err != nil {
		t.Fatal(err)
	}
	if c.Family != base.Family || c.Classes != 10 || c.Weights.Path != path || c.Weights.SHA256 != sum || c.Stages["late"].Layer != "logits" || c.Stages["early"] != base.Stages["early"] || c.Input != base.Input {
		t.Errorf("the card is %+v", c)
	}
	if base.Stages["late"].Layer == "logits" {
		t.Error("adding changed the model that the new one is like")
	}
	if _, net, err := opened(c); err != nil || len(net.Notes) != 2 {
		t.Errorf("%v", err)
	}
	// From a URL, once.
	asked := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked++; http.ServeFile(w, r, path) }))
	defer s.Close()
	if err := add(modelsAddCmd{Arch: "resnet2b", Weights: s.URL + "/net.safetensors", Name: "far", SHA256: sum[:8]}); err != nil || asked != 1 {
		t.Fatalf("%v after %d requests", err, asked)
	}
	if c, err := zoo.Lookup("far"); err != nil || c.Weights.Path != filepath.Join(os.Getenv("METAMERS_CACHE"), "weights", "far", "net.safetensors") || c.Weights.SHA256 != sum {
		t.Errorf("%+v, %v", c, err)
	}
	small := filepath.Join(dir, "small.safetensors")
	if err := weights.WriteSafetensors(small, []weights.Tensor{{Name: "a", Shape: []int{1}, Float: []float32{1}}}, nil); err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]modelsAddCmd{
		"the name resnet2b is that of the project":                           {Arch: "resnet2b", Weights: path, Name: "resnet2b"},
		"you have a card my_weights_1 already":                               {Arch: "resnet2b", Weights: path},
		`did you mean resnet2b`:                                              {Arch: "resnet2bb", Weights: path},
		"expected --arch with --weights, or --onnx":                          {Arch: "resnet2b"},
		"--mean is 123, expected values for pixels in [0,1] (divide by 255)": {Arch: "resnet2b", Weights: path, Name: "x", Mean: []float64{123, 116, 103}, Std: []float64{58, 57, 57}},
		"--std is 58, expected values for pixels in [0,1] (divide by 255)":   {Arch: "resnet2b", Weights: path, Name: "x", Std: []float64{58, 57, 57}},
		"--mean has 2 numbers":                                               {Arch: "resnet2b", Weights: path, Name: "x", Mean: []float64{1, 2}},
		`unknown layer "nowhere"`:                                            {Arch: "resnet2b", Weights: path, Name: "x", Stages: map[string]string{"late": "nowhere"}},
		`unknown stage "last"`:                                               {Arch: "resnet2b", Weights: path, Name: "x", Stages: map[string]string{"last": "linear1"}},
		"tensor a belongs to no layer":                                       {Arch: "resnet2b", Weights: small, Name: "x"},
		"has the SHA-256 " + sum:                                             {Arch: "resnet2b", Weights: path, Name: "x", SHA256: "00000000"},
		"comes in as an ONNX file":                                           {Arch: "efficientnet_v9", Weights: path, Name: "x"},
		`unknown setting "stems": did you mean stem`:                         {Arch: "resnet2b", Weights: path, Name: "x", Config: `{"stems":8}`},
		"--config: config {":                                                 {Arch: "resnet2b", Weights: path, Name: "x", Config: "{"},
		"give --classes 10":                                                  {Arch: "resnet2b", Weights: path, Name: "x", Classes: 7},
		`no tensor has the prefix "student."`:                                {Arch: "resnet2b", Weights: path, Name: "x", Strip: "student."},
		"--check: stat none.npz: no such file":                               {Arch: "resnet2b", Weights: path, Name: "x", Check: "none.npz"},
		"safetensors hold tensors only":                                      {Arch: "resnet2b", Weights: path, Name: "x", Key: "model"},
		"no such file":                                                       {Arch: "resnet2b", Weights: filepath.Join(dir, "none"), Name: "x"},
		"input.filter is \"nearest\"":                                        {Arch: "resnet2b", Weights: path, Name: "x", Filter: "nearest"},
	} {
		if err := add(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, expected %q", err, want)
		}
	}
	if _, err := zoo.Lookup("x"); err == nil {
		t.Error("a card was written in spite of an error")
	}
	if err := (modelsRmCmd{Name: "far"}).Run(); err != nil {
		t.Error(err)
	}
}
