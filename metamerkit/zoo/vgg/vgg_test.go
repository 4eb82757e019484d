package vgg

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo/zootest"
)

// A file with torchvision's names gives the weights of one with timm's.
func TestTorchvisionNames(t *testing.T) {
	c := &card.Card{Name: "vgg", Family: "vgg", Config: []byte(`{"layers": [1,1,1,1,1], "channels": [4,4,4,4,8], "mlp_ratio": 0.015625, "classes": 5}`),
		Input: card.Input{Size: 64, Std: [3]float64{1, 1, 1}}}
	want := zootest.Open(t, c, 1)
	var all []weights.Tensor
	names := strings.NewReplacer("pre_logits.fc1.", "classifier.0.", "pre_logits.fc2.", "classifier.3.", "head.fc.", "classifier.6.")
	for _, path := range slices.Sorted(maps.Keys(want.Weights)) {
		key := strings.ReplaceAll(strings.TrimPrefix(path, "/"), "/", ".")
		shape := slices.Clone(want.Weights[path].Shape().Dimensions)
		if len(shape) == 4 {
			shape = []int{shape[3], shape[2], shape[0], shape[1]}
		}
		if key == "head.fc.weight" {
			slices.Reverse(shape)
		}
		flat := zootest.Weight(key, shape, 1)
		if strings.HasPrefix(key, "pre_logits") && len(shape) == 4 {
			shape = []int{shape[0], shape[1] * shape[2] * shape[3]}
		}
		all = append(all, weights.Tensor{Name: names.Replace(key), Shape: shape, Float: flat})
	}
	file := filepath.Join(t.TempDir(), "torchvision.safetensors")
	if err := weights.WriteSafetensors(file, all, nil); err != nil {
		t.Fatal(err)
	}
	got, err := zoo.Open(c, file)
	if err != nil {
		t.Fatal(err)
	}
	for path, w := range want.Weights {
		if !slices.Equal(tensors.MustCopyFlatData[float32](w), tensors.MustCopyFlatData[float32](got.Weights[path])) {
			t.Errorf("%s differs", path)
		}
	}
}
