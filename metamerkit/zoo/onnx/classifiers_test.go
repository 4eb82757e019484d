package onnx_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"
	"google.golang.org/protobuf/proto"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
	. "github.com/ensemble-metamers/metamers/metamerkit/zoo/onnx"
)

// classifier is what came of one export of a classifier: relative L2 errors against
// torch, or why it is refused.
type classifier struct {
	Opset    int64   `json:"opset"`
	Size     int     `json:"size"`
	Backend  string  `json:"backend"`
	Logits   float64 `json:"logits"`
	Gradient float64 `json:"gradient"`
	Rounding float64 `json:"rounding,omitempty"` // of torch's own gradient, if that is the larger error
	Refused  string  `json:"refused,omitempty"`
}

const classifiersFile = golden + "classifiers.json"

// TestClassifiers opens classifiers of torchvision and timm that
// testdata/scripts/onnx_classifiers.py exported into the folder METAMERS_ONNX_CLASSIFIERS,
// and compares logits and image gradients of two images with torch. METAMERS_BACKEND
// chooses the backend, the Go backend if it is not set. With -update, what came of it is
// added to classifiers.json, from which the table of docs/notes/onnx.md is made.
func TestClassifiers(t *testing.T) {
	folder := os.Getenv("METAMERS_ONNX_CLASSIFIERS")
	if folder == "" {
		t.Skip("METAMERS_ONNX_CLASSIFIERS names no folder")
	}
	kind := backend.Go
	if k := os.Getenv("METAMERS_BACKEND"); k != "" {
		kind = backend.Kind(k)
	}
	b := backendtest.Open(t, kind)
	files, err := filepath.Glob(folder + "/*.onnx")
	if err != nil || len(files) == 0 {
		t.Fatalf("no ONNX files in %s (error %v)", folder, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".onnx")
		t.Run(name, func(t *testing.T) {
			c := classify(t, b, file)
			t.Logf("%+v", c)
			if c.Refused == "" && !c.right() {
				t.Errorf("relative errors of logits %.2g and gradient %.2g, expected 1e-4 and %.2g", c.Logits, c.Gradient, max(1e-3, c.Rounding))
			}
			if *update {
				all := classifiers(t)
				all[name] = c
				data, err := json.MarshalIndent(all, "", "\t")
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(classifiersFile, append(data, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func classify(t *testing.T, b *backend.Backend, file string) classifier {
	name, _, _ := strings.Cut(filepath.Base(file), ".")
	f, err := weights.Open(filepath.Join(filepath.Dir(file), name+".safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var m protos.ModelProto
	if err := proto.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	images, logits := read(t, f, "images"), read(t, f, "logits")
	c := classifier{Size: images.Shape[1], Backend: string(b.Kind)}
	for _, o := range m.OpsetImport {
		if o.Domain == "" {
			c.Opset = o.Version
		}
	}
	card := plain(c.Size)
	card.Classes = logits.Shape[1]
	net, err := Open(card, file)
	if err != nil {
		var unsupported *Unsupported
		if !errors.As(err, &unsupported) {
			t.Fatalf("not refused with a reason: %v", err)
		}
		c.Refused = unsupported.Error()
		return c
	}
	v, _, g := run(t, b, net, card.Input, images, "logits", stage.Options{}, along(read(t, f, "direction")))
	c.Logits, c.Gradient = round(distance(v, logits.Float)), round(distance(g, read(t, f, "gradient").Float))
	if r := f.Tensors["rounding"]; r != nil && r.Float[0] > 1e-3 {
		c.Rounding = round(float64(r.Float[0]))
	}
	return c
}

// right reports whether logits and gradient are torch's. No gradient is nearer than torch's
// in float32 is to torch's in float64.
func (c classifier) right() bool {
	return c.Refused == "" && c.Logits <= 1e-4 && c.Gradient <= max(1e-3, c.Rounding)
}

// round keeps two digits, enough for a table.
func round(x float64) (out float64) {
	fmt.Sscan(fmt.Sprintf("%.2g", x), &out)
	return out
}

// classifiers reads what came of earlier runs.
func classifiers(t testing.TB) map[string]classifier {
	t.Helper()
	all := map[string]classifier{}
	data, err := os.ReadFile(classifiersFile)
	if errors.Is(err, os.ErrNotExist) && *update {
		return all
	}
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// classifierNames lists the classifiers of which some export was tried.
func classifierNames(all map[string]classifier) []string {
	var names []string
	for key := range maps.Keys(all) {
		name, _, _ := strings.Cut(key, ".")
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
