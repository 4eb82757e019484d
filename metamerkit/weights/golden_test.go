package weights

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/paths/pathstest"
)

// Files and expected values were made with PyTorch by testdata/weights/make.py.
const golden = "testdata/weights"

func readJSON(t testing.TB, name string, v any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(golden, name))
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

type expectation struct {
	Files map[string]map[string]struct {
		Shape  []int
		Float  bool
		Values []string // float32's bits in hexadecimal, or integers
	}
	Refused map[string]string // file → text of the error
}

func formatOf(name string) string {
	switch filepath.Ext(name) {
	case ".th":
		return "PyTorch legacy"
	case ".pth", ".pt":
		return "PyTorch zip"
	}
	return "safetensors"
}

func TestValuesEqualPyTorch(t *testing.T) {
	var want expectation
	readJSON(t, "expected.json", &want)
	if len(want.Files) < 10 {
		t.Fatalf("expected.json names %d files", len(want.Files))
	}
	for name, tensors := range want.Files {
		t.Run(name, func(t *testing.T) {
			f, err := Open(filepath.Join(golden, name))
			if err != nil {
				t.Fatal(err)
			}
			if f.Format != formatOf(name) {
				t.Errorf("format %q, expected %q", f.Format, formatOf(name))
			}
			if len(f.Tensors) != len(tensors) {
				t.Errorf("%d tensors, expected %d", len(f.Tensors), len(tensors))
			}
			for key, w := range tensors {
				x := f.Tensors[key]
				if x == nil {
					t.Errorf("no tensor %s", key)
					continue
				}
				if x.Name != key || !slices.Equal(x.Shape, w.Shape) || (x.Float != nil) != w.Float || (x.Int != nil) == w.Float {
					t.Errorf("%s is %q of shape %v with %d floats and %d integers, expected shape %v", key, x.Name, x.Shape, len(x.Float), len(x.Int), w.Shape)
				}
				var got []string
				for _, v := range x.Float {
					got = append(got, fmt.Sprintf("%08x", math.Float32bits(v)))
				}
				for _, v := range x.Int {
					got = append(got, fmt.Sprint(v))
				}
				if !slices.Equal(got, w.Values) {
					t.Errorf("%s (%s):\n got %v\nwant %v", key, x.DType, got, w.Values)
				}
			}
		})
	}
}

func TestMetadata(t *testing.T) {
	f, err := Open(filepath.Join(golden, "plain.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if f.Metadata["note"] != "<&é" || len(f.Metadata) != 2 {
		t.Errorf("metadata %v", f.Metadata)
	}
}

// What PyTorch can save and this package does not read gives an error that says so.
func TestRefusedFiles(t *testing.T) {
	var want expectation
	readJSON(t, "expected.json", &want)
	if len(want.Refused) == 0 {
		t.Fatal("expected.json names no refused files")
	}
	for name, text := range want.Refused {
		_, err := Open(filepath.Join(golden, name))
		if e := formatError(t, name, err); e != nil && !strings.Contains(e.Problem, text) {
			t.Errorf("%s: %v, expected %q in it", name, err, text)
		}
	}
}

func dataFile(t testing.TB, name string) string {
	t.Helper()
	dirs := append(filepath.SplitList(os.Getenv("METAMERS_DATA")), "../../../shared/data")
	for _, d := range dirs {
		p := filepath.Join(d, "weights", name)
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	pathstest.Missing(t, "no weights/%s in %v (METAMERS_DATA)", name, dirs)
	return ""
}

// The published files, against sums that PyTorch computed (real.json).
func TestPublishedFiles(t *testing.T) {
	var want map[string]struct {
		SHA256  string
		Tensors map[string][3]json.RawMessage // shape, Σ x, Σ x·(position+1)
	}
	readJSON(t, "real.json", &want)
	if len(want) == 0 {
		t.Fatal("real.json names no files")
	}
	for name, w := range want {
		t.Run(name, func(t *testing.T) {
			f, err := openVerified(dataFile(t, name), w.SHA256)
			if err != nil {
				t.Fatal(err)
			}
			if f.Format != formatOf(name) || f.SHA256 != w.SHA256 || len(f.Tensors) != len(w.Tensors) {
				t.Errorf("%s with %d tensors and sum %s, expected %s with %d and %s", f.Format, len(f.Tensors), f.SHA256, formatOf(name), len(w.Tensors), w.SHA256)
			}
			for key, row := range w.Tensors {
				x := f.Tensors[key]
				if x == nil {
					t.Errorf("no tensor %s", key)
					continue
				}
				var sum, weighted, size float64
				add := func(i int, v float64) {
					sum += v
					weighted += v * float64(i+1)
					size += math.Abs(v) * float64(i+1)
				}
				for i, v := range x.Float {
					add(i, float64(v))
				}
				for i, v := range x.Int {
					add(i, float64(v))
				}
				shape, err := json.Marshal(x.Shape)
				if err != nil || string(shape) != string(row[0]) {
					t.Errorf("%s has the shape %s, expected %s", key, shape, row[0])
				}
				for i, got := range []float64{sum, weighted} {
					var exp float64
					if err := json.Unmarshal(row[i+1], &exp); err != nil {
						t.Fatal(err)
					}
					if math.Abs(got-exp) > 1e-12*size { // orders of summation differ
						t.Errorf("%s: sum %d is %v, expected %v", key, i, got, exp)
					}
				}
			}
		})
	}
}
