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
		{"inside.pt", "", "model", "", "plain", ""},
		{"net.pt", "", "net", "", "plain", "acc"},
		{"last.pt", "", "last.weights", "", "plain", "losses"},
		{"last.pt", "last", "last.weights", "", "plain", "optimizer"},
		{"two.pt", "teacher", "teacher", "", "ema", "student"},
		{"float8.pt", "", "state_dict", "", "plain", "scale"},
		{"protocol5.pt", "", "state_dict", "", "plain", "raw"},
	} {
		f, err := Index(filepath.Join(golden, c.file), Options{Key: c.key})
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		if ema := c.file == "timm.pth.tar" && c.key == ""; ema != slices.Equal(f.Others, []string{"state_dict_ema"}) || !ema && f.Others != nil {
			t.Errorf("%s, key %q: other state dicts %q", c.file, c.key, f.Others)
		}
		if f.Key != c.found || c.beside != "" && !slices.Contains(f.Beside, c.beside) {
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
		"timm.pth.tar":      {"ema", `no entry "ema" with a state dict; it has "state_dict" (2), "state_dict_ema" (2)`},
		"madry.pt":          {"epoch", `no entry "epoch" with a state dict`},
		"plain.safetensors": {"model", "safetensors hold tensors only"},
		"two.pt":            {"", `it has several entries with tensors: "student" (2), "teacher" (2); name the one to read (--key)`},
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

// Beside a state dict may lie what is larger than any state dict, and tensors of types that
// are not read; what Python would run is named and not run.
func TestPassedOver(t *testing.T) {
	tensor := tensorPickle(storagePickle("FloatStorage", 4), 0, tuple(4), tuple(1))
	losses := "]" + strings.Repeat("("+strings.Repeat("G?\xe0\x00\x00\x00\x00\x00\x00K\x07", 1000)+"e", 600)
	large := "X\x00\x00\x00\x02" + strings.Repeat("x", 2<<24)
	for name, data := range map[string]string{"losses": losses, "a long string": large} {
		object := "\x80\x02}(" + str("state_dict") + "}" + str("a") + tensor + "s" + str("other") + data + "u."
		for format, file := range map[string]string{"zip": asZip(object), "legacy": asLegacy(object)} {
			var f *File
			var err error
			content := []byte(file)
			used := allocated(func() { f, err = Parse(name, content) })
			if err != nil || f.Key != "state_dict" || len(f.Tensors["a"].Float) != 4 || !slices.Equal(f.Beside, []string{"other"}) {
				t.Errorf("%s, %s: %+v, %v", name, format, f, err)
			}
			if used > 32<<20 { // 22 MiB, 28 under the race detector
				t.Errorf("%s, %s: %d bytes are allocated for a file of %d", name, format, used, len(file))
			}
		}
	}
	other, err := Open(filepath.Join(golden, "complex.pth"))
	if err != nil || other.Tensors["a"].Load() == nil || other.Tensors["a"].DType != "torch.ComplexFloatStorage" || other.Tensors["a"].IsFloat() {
		t.Errorf("complex numbers: %+v, %v", other, err)
	}
	exec, err := Open(filepath.Join(golden, "exec.pth"))
	if err != nil || len(exec.Tensors) != 1 || !slices.Equal(exec.Beside, []string{"b"}) {
		t.Errorf("exec.pth: %+v, %v", exec, err)
	}
	header := `{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F8_E4M3","shape":[3],"data_offsets":[4,7]},"c":{"dtype":"F4","shape":[2],"data_offsets":[7,8]}}`
	eight, err := Parse("float8", []byte(safetensors(header, "\x00\x00\x80?1234")))
	if err != nil || eight.Tensors["a"].Float[0] != 1 || eight.Tensors["b"].DType != "F8_E4M3" || eight.Tensors["b"].Load() == nil || eight.Tensors["c"].Len() != 2 {
		t.Errorf("float8 in safetensors: %+v, %v", eight, err)
	}
}
