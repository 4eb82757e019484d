package all

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/shapes"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// reference is what timm or torchvision says of a model's parameters.
type reference struct {
	Tensors int
	SHA256  string // see digest
}

// Every card of a model of timm's or torchvision's has just its parameters, by name
// and shape, and the stages of every card are layers of it, in order. No weights are
// needed for that.
func TestParameters(t *testing.T) {
	t.Setenv("METAMERS_CACHE", t.TempDir()) // so that models that the user added are not tested
	references := map[string]reference{}
	for _, file := range []string{"timm", "cnn"} {
		data, err := os.ReadFile("../../../testdata/golden/parameters_" + file + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var golden struct{ Models map[string]reference }
		if err := json.Unmarshal(data, &golden); err != nil || len(golden.Models) == 0 {
			t.Fatalf("%s: %d models, %v", file, len(golden.Models), err)
		}
		for name, r := range golden.Models {
			if _, err := zoo.Lookup(name); err != nil {
				t.Error(err)
			}
			references[name] = r
		}
	}
	for _, name := range zoo.Names() {
		c, err := zoo.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		if c.Family == "onnx" {
			continue // its graph is in the weight file
		}
		t.Run(name, func(t *testing.T) {
			forward, err := zoo.Build(c)
			if err != nil {
				t.Fatal(err)
			}
			have, err := zoo.Variables(c, forward)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := zoo.Parameters(c, forward); err != nil || c.Parameters != n {
				t.Errorf("the card states %d parameters, its graph has %d (%v)", c.Parameters, n, err)
			}
			want, known := references[name]
			if sum := digest(have); known && (len(have) != want.Tensors || sum != want.SHA256) {
				t.Errorf("%d parameters with the sum %s, the reference has %d with %s", len(have), sum, want.Tensors, want.SHA256)
			}
			layers, err := (&zoo.Net{Forward: forward}).Layers(c.Input)
			if err != nil {
				t.Fatal(err)
			}
			at := -1
			for _, s := range metamer.Stages {
				k := slices.Index(layers, c.Stages[s].Layer)
				if k <= at {
					t.Errorf("stage %s is layer %q, number %d of %q: expected it behind number %d", s, c.Stages[s].Layer, k, layers, at)
				}
				at = k
			}
			last := "logits"
			if c.Classes == 0 {
				last = "embedding"
			}
			if got := layers[len(layers)-1]; got != last {
				t.Errorf("the last layer is %s, expected %s for %d classes", got, last, c.Classes)
			}
		})
	}
}

// digest is the SHA-256 over the names and shapes in PyTorch's layout.
func digest(variables map[string]shapes.Shape) string {
	var lines []string
	for path, s := range variables {
		key, d := strings.ReplaceAll(strings.TrimPrefix(path, "/"), "/", "."), s.Dimensions
		switch {
		case len(d) == 4:
			d = []int{d[3], d[2], d[0], d[1]}
		case len(d) == 2 && strings.HasSuffix(key, "weight"):
			d = []int{d[1], d[0]}
		}
		lines = append(lines, fmt.Sprintf("%s %s\n", key, strings.ReplaceAll(fmt.Sprint(d), " ", ", ")))
	}
	slices.Sort(lines)
	return fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(lines, ""))))
}
