package weights

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Checkpoints of training code hold more than a state dict: optimisers, arguments,
// schedules. It is passed over, unexecuted (testdata/weights/checkpoints.py).
func TestCheckpoints(t *testing.T) {
	var want map[string]map[string][]float32
	readJSON(t, "checkpoints.json", &want)
	for _, c := range []struct{ file, key, found, prefix, weights, beside string }{
		{"madry.pt", "", "model", "module.model.", "plain", "optimizer"},
		{"madry.pt", "", "model", "module.attacker.model.", "plain", "schedule"},
		{"timm.pth.tar", "", "state_dict", "", "plain", "state_dict_ema"},
		{"timm.pth.tar", "state_dict_ema", "state_dict_ema", "", "ema", "args"},
		{"lightning.ckpt", "", "state_dict", "model.", "plain", "hyper_parameters"},
	} {
		f, err := Index(filepath.Join(golden, c.file), Options{Key: c.key})
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		if f.Key != c.found || !slices.Contains(f.Beside, c.beside) {
			t.Errorf("%s: read %q, beside it %v", c.file, f.Key, f.Beside)
		}
		for name, values := range want[c.weights] {
			x := f.Tensors[c.prefix+name]
			if x == nil {
				t.Errorf("%s has no %s%s", c.file, c.prefix, name)
			} else if err := x.Load(); err != nil || fmt.Sprint(x.Float) != fmt.Sprint(values) {
				t.Errorf("%s: %s is %v, expected %v (%v)", c.file, name, x.Float, values, err)
			}
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	for file, c := range map[string]struct{ key, text string }{
		"timm.pth.tar":      {"ema", `no entry "ema" with a state dict; it has "epoch"`},
		"madry.pt":          {"epoch", `no entry "epoch" with a state dict`},
		"plain.safetensors": {"model", "safetensors hold tensors only"},
		"inside.pt":         {"", "refers to argparse.Namespace"},
	} {
		_, err := Index(filepath.Join(golden, file), Options{Key: c.key})
		if e := formatError(t, file, err); e != nil && !strings.Contains(e.Problem, c.text) {
			t.Errorf("%s: %v, expected %q in it", file, err, c.text)
		}
	}
}

// Pieces gives the same elements as Load, whole groups at a time.
func TestPieces(t *testing.T) {
	for _, name := range []string{"zip.pth", "legacy.th", "plain.safetensors"} {
		whole, err := Open(filepath.Join(golden, name))
		if err != nil {
			t.Fatal(err)
		}
		f, err := Index(filepath.Join(golden, name), Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for key, x := range f.Tensors {
			if !x.IsFloat() {
				if x.Pieces(1, nil) == nil {
					t.Errorf("%s: %s is %s and has float pieces", name, key, x.DType)
				}
				continue
			}
			var got []float32
			err := x.Pieces(2, func(first int, v []float32) {
				if first != len(got) {
					t.Errorf("%s: %s goes on at %d after %d", name, key, first, len(got))
				}
				got = append(got, v...)
			})
			if want := whole.Tensors[key].Float; err != nil || fmt.Sprint(got) != fmt.Sprint(want) || x.Len() != len(want) {
				t.Errorf("%s: %s is %v, expected %v (%v)", name, key, got, want, err)
			}
		}
	}
}
