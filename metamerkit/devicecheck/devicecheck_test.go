package devicecheck

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"io/fs"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/engine"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	_ "github.com/ensemble-metamers/metamers/metamerkit/images/photos"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/testdata/golden"
)

// altered is the golden files with the first value of a tensor changed.
func altered(t *testing.T, name, tensor string) fs.FS {
	t.Helper()
	out := fstest.MapFS{}
	err := fs.WalkDir(golden.Files, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := fs.ReadFile(golden.Files, path)
		out[path] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil || out[name] == nil {
		t.Fatalf("%s: %v", name, err)
	}
	data := out[name].Data
	head := binary.LittleEndian.Uint64(data) // the length of safetensors' header
	var entries map[string]struct {
		Offsets []uint64 `json:"data_offsets"`
	}
	if err := json.Unmarshal(data[8:8+head], &entries); err != nil {
		t.Fatal(err)
	}
	at := data[8+head+entries[tensor].Offsets[0]:]
	binary.LittleEndian.PutUint32(at, math.Float32bits(math.Float32frombits(binary.LittleEndian.Uint32(at))+1))
	return out
}

// Backends that work pass with a wide margin. What differs is named, and only that.
func TestRun(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		if b.Kind == backend.Go {
			t.Skip("synth.TestGoldenCarried compares the pure-Go backend with the same values")
		}
		e := engine.New(b)
		c, err := Run(context.Background(), e)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Parts) != len(networks)*10+1 {
			t.Errorf("%d comparisons, expected %d", len(c.Parts), len(networks)*10+1)
		}
		for _, p := range c.Parts {
			if !(p.Difference < Limit/20) {
				t.Errorf("%s: %g (%s), expected at most %g", p.What, p.Difference, p.Error, Limit/20)
			}
		}
		for _, a := range []struct{ file, tensor, want string }{
			{"vit_4_96.mm_c10", "gradient.late", "vit_4_96.mm_c10: gradients, late"},
			{"resnet8_48.mm_c10", "activation.early", "resnet8_48.mm_c10: activations, early"},
			{"pgd_robust_cnns", "losses20.late", "losses of 20 steps at late"},
		} {
			c, err := run(context.Background(), e, altered(t, "carried/"+a.file+".safetensors", a.tensor))
			if err != nil {
				t.Fatal(err)
			}
			if failed := c.Failed(); len(failed) != 1 || failed[0].What != a.want {
				t.Errorf("with another %s in %s these fail: %+v", a.tensor, a.file, failed)
			}
		}
	})
}

// Runs on a device in doubt say so, in a warning and in the statistics of each image.
func TestDoubtInRuns(t *testing.T) {
	e := engine.New(backendtest.Open(t, backend.XLA))
	e.Doubt = "the device failed"
	set, err := images.Open([]string{"photos:2"}, images.Options{Size: size})
	if err != nil {
		t.Fatal(err)
	}
	var warned []string
	run, err := e.Synthesize(context.Background(), engine.Request{Images: set, Warn: func(s string) { warned = append(warned, s) },
		Recipe: metamer.Recipe{Models: []metamer.ModelRef{{Name: networks[0]}}, Stage: "late", Steps: 2, Null: metamer.NullRef{Name: metamer.NoNull}}})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(warned, e.Doubt) {
		t.Errorf("warnings %q", warned)
	}
	for _, s := range run.Statistics {
		if !strings.HasSuffix(s.Why, "; the device failed") {
			t.Errorf("image %d: %q", s.Image, s.Why)
		}
	}
}

// What cannot be compared is no agreement.
func TestDifference(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		got, want []float32
		expected  float64
	}{
		{[]float32{1, 2}, []float32{1, 4}, 0.5},
		{[]float32{0}, []float32{0}, 0},
		{[]float32{1}, []float32{1, 2}, math.MaxFloat64},
		{nil, nil, math.MaxFloat64},
		{[]float32{nan}, []float32{1}, math.MaxFloat64},
	} {
		if d := difference(c.got, c.want); d != c.expected {
			t.Errorf("%v and %v differ by %g, expected %g", c.got, c.want, d, c.expected)
		}
	}
}
