package weights

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func dataFile(t testing.TB, name string) string {
	t.Helper()
	dirs := append(filepath.SplitList(os.Getenv("METAMERS_DATA")), "../../../shared/data")
	for _, d := range dirs {
		p := filepath.Join(d, "weights", name)
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	t.Skipf("no weights/%s in %v (METAMERS_DATA)", name, dirs)
	return ""
}

// The counts and sums were printed by PyTorch: sum over tensors of the float64 sum.
func TestRealFiles(t *testing.T) {
	for name, want := range map[string]struct {
		format  string
		tensors int
	}{
		"resnet20-12fca82f.th":                    {"PyTorch legacy", 0},
		"resnet56-4bfd9763.th":                    {"PyTorch legacy", 0},
		"resnet2b.pth":                            {"PyTorch zip", 16},
		"resnet4b.pth":                            {"PyTorch zip", 26},
		"vit_tiny_patch16_224.augreg.safetensors": {"safetensors", 152},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Open(dataFile(t, name))
			if err != nil {
				t.Fatal(err)
			}
			if want.tensors > 0 && len(f.Tensors) != want.tensors {
				t.Errorf("%d tensors, expected %d", len(f.Tensors), want.tensors)
			}
			if want.format != f.Format {
				t.Errorf("format %q, expected %q", f.Format, want.format)
			}
		})
	}
}

func TestSafetensorsRoundTrip(t *testing.T) {
	p := filepath.Join(t.TempDir(), "x.safetensors")
	want := []Tensor{{Name: "a", Shape: []int{2, 2}, Float: []float32{1, -2, float32(math.Inf(1)), 4e-42}}, {Name: "b", Shape: []int{3}, Int: []int64{1, -2, 3}}}
	if err := WriteSafetensors(p, want, map[string]string{"k": "v"}); err != nil {
		t.Fatal(err)
	}
	f, err := Open(p)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range want[0].Float {
		if f.Tensors["a"].Float[i] != v {
			t.Errorf("a[%d] = %v, expected %v", i, f.Tensors["a"].Float[i], v)
		}
	}
	if f.Tensors["b"].Int[1] != -2 || f.Metadata["k"] != "v" {
		t.Errorf("read %v %v", f.Tensors["b"], f.Metadata)
	}
	var sum *ChecksumError
	if _, err := OpenVerified(p, strings.Repeat("0", 64)); !errors.As(err, &sum) {
		t.Errorf("wrong checksum gives %v", err)
	}
}

// Whatever is cut off or put in, Parse answers with a *FormatError.
func TestHostile(t *testing.T) {
	exec := "\x80\x02cposix\nsystem\nq\x00X\x02\x00\x00\x00lsq\x01\x85q\x02Rq\x03."
	for name, data := range map[string]string{
		"empty": "", "html": "<!DOCTYPE html><title>404</title>", "garbage": "hello world, hello", "exec": exec,
		"bomb":    "\x80\x02X\xff\xff\xff\xff.",
		"header":  "\xff\xff\xff\xff\xff\xff\xff\x7f{}",
		"shape":   "\x3a\x00\x00\x00\x00\x00\x00\x00" + `{"a":{"dtype":"F32","shape":[-1,4],"data_offsets":[0,16]}}` + strings.Repeat("\x00", 16),
		"huge":    "\x48\x00\x00\x00\x00\x00\x00\x00" + `{"a":{"dtype":"F32","shape":[9999999999,999999999],"data_offsets":[0,16]}}  ` + strings.Repeat("\x00", 16),
		"unknown": "\x80\x02cnumpy\nndarray\nq\x00.",
	} {
		_, err := Parse(name, []byte(data))
		var format *FormatError
		if !errors.As(err, &format) {
			t.Errorf("%s: %v, expected a *FormatError", name, err)
		}
		t.Log(err)
	}
	for _, name := range []string{"resnet2b.pth", "resnet20-12fca82f.th"} {
		data, err := os.ReadFile(dataFile(t, name))
		if err != nil {
			t.Fatal(err)
		}
		for n := 0; n < len(data); n += 1 + len(data)/97 {
			if _, err := Parse(name, data[:n]); err == nil {
				t.Errorf("%s cut to %d of %d bytes is accepted", name, n, len(data))
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("\x80\x02cposix\nsystem\nq\x00."))
	f.Add([]byte("\x02\x00\x00\x00\x00\x00\x00\x00{}"))
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse("fuzz", data)
		if err == nil {
			for name, x := range file.Tensors {
				if n, err := elements(x.Shape, math.MaxInt); err != nil || n != len(x.Float)+len(x.Int) {
					t.Errorf("tensor %s of shape %v has %d elements", name, x.Shape, len(x.Float)+len(x.Int))
				}
			}
		}
	})
}
