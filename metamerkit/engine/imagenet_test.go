package engine

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
	"github.com/ensemble-metamers/metamers/metamerkit/paths/pathstest"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// Top-1 on 500 ImageNet photographs by each model's own evaluation transform, and
// the class of each against PyTorch's on PIL's pixels (images/testdata/sample.py).
func TestImageNetSample(t *testing.T) {
	if testing.Short() {
		t.Skip("500 images are too many for -short")
	}
	if os.Getenv("METAMERS_DATA") == "" {
		t.Setenv("METAMERS_DATA", "../../../shared/data")
	}
	list, err := paths.Find("imagenet-sample/labels.tsv")
	if err != nil {
		pathstest.Missing(t, "no ImageNet sample here: %v", err)
	}
	labels := map[string]string{}
	text, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Split(line, "\t")
		labels[strings.TrimSuffix(f[0], filepath.Ext(f[0]))] = f[2]
	}
	var torch struct {
		Images map[string]map[string]struct{ Class int }
		Right  map[string]int
	}
	if text, err = os.ReadFile("../images/testdata/sample.json"); err == nil {
		err = json.Unmarshal(text, &torch)
	}
	if err != nil {
		t.Fatal(err)
	}
	e := New(backendtest.Open(t, backend.XLA))
	for _, m := range []struct {
		name, key string
		least     float64 // percent
	}{{"vit_tiny_patch16_224", "vit", 80}, {"squeezenet1_0.deepcompression", "squeezenet", 61}} {
		t.Run(m.key, func(t *testing.T) {
			c, err := zoo.Lookup(m.name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Locate(c); err != nil {
				pathstest.Missing(t, "%v", err)
			}
			set, err := images.Open([]string{filepath.Dir(list)}, images.Options{Size: c.Input.Size, Crop: c.Input.Crop, Filter: c.Input.Filter})
			if err != nil {
				t.Fatal(err)
			}
			logits, err := e.Logits(m.name, set, 50, nil)
			if err != nil {
				t.Fatal(err)
			}
			right, changed := 0, 0
			for i, l := range logits {
				got := argmax(l)
				if want := labels[set.Names[i]]; want == "" {
					t.Fatalf("%s has no label", set.Names[i])
				} else if strconv.Itoa(got) == want {
					right++
				}
				if w := torch.Images[set.Names[i]+".JPEG"][m.key]; got != w.Class {
					changed++
					t.Logf("%s is %d, by PyTorch %d", set.Names[i], got, w.Class)
				}
			}
			t.Logf("top-1: %d of %d (PyTorch on PIL's pixels: %d); %d classes differ", right, set.Len(), torch.Right[m.key], changed)
			if float64(right) < m.least/100*float64(set.Len()) {
				t.Errorf("top-1 is %d of %d, expected at least %v %%", right, set.Len(), m.least)
			}
			if float64(changed) > 0.005*float64(set.Len()) {
				t.Errorf("%d of %d classes differ from PyTorch's, expected at most .5 %%", changed, set.Len())
			}
		})
	}
}
