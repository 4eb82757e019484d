package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/weights"
)

func TestProbability(t *testing.T) {
	l := []float32{1000, 1000 + float32(math.Log(3)), -1000} // no overflow
	if got := order(l); got[0] != 1 || got[1] != 0 || got[2] != 2 {
		t.Errorf("order %v", got)
	}
	for k, want := range []float64{.25, .75, 0} {
		if got := probability(l, k); math.Abs(got-want) > 1e-4 {
			t.Errorf("class %d: %v, expected %v", k, got, want)
		}
	}
}

func TestReadLabels(t *testing.T) {
	path := filepath.Join(t.TempDir(), "labels.tsv")
	for text, want := range map[string]string{
		"file\twnid\tindex\nx/a.b.JPEG\tn1\t7\n": "",
		"":                                       "is empty",
		"name\tindex\n":                          "expected file and index among them",
		"file\tindex\na.png\tx\n":                `line 2: the index is "x"`,
		"file\tindex\na.png\t-1\n":               `line 2: the index is "-1"`,
		"file\tindex\na.png\n":                   "wrong number of fields",
		"file,index\na.png,1\n":                  "separated by tabs, not by ,",
		"file;index\na.png;1\n":                  "separated by tabs, not by ;",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := readLabels(path)
		if want == "" && (err != nil || got["a.b"] != 7) || want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path)) {
			t.Errorf("%q: %v, %v; expected %q", text, got, err, want)
		}
	}
}

func TestReadClasses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "classes.safetensors")
	matrix := weights.Tensor{Name: "classes", Shape: []int{2, 3}, Float: []float32{1, 2, 3, 4, 5, 6}}
	for _, c := range []struct {
		tensors []weights.Tensor
		meta    map[string]string
		want    string
	}{
		{[]weights.Tensor{matrix}, map[string]string{"names": "cat\ndog\n", "scale": "10"}, ""},
		{[]weights.Tensor{matrix}, map[string]string{"names": "cat"}, "1 names in its metadata for 2 classes"},
		{[]weights.Tensor{matrix}, map[string]string{"names": "cat\ndog", "scale": "x"}, `scale is "x"`},
		{[]weights.Tensor{{Name: "v", Shape: []int{6}, Float: matrix.Float}}, nil, "expected a float matrix"},
		{nil, nil, "0 tensors"},
	} {
		if err := weights.WriteSafetensors(path, c.tensors, c.meta); err != nil {
			t.Fatal(err)
		}
		z, err := readClasses(path)
		if c.want == "" {
			if err != nil || len(z.Classes) != 2 || z.Classes[1][2] != 6 || z.Names[1] != "dog" || z.Scale != 10 {
				t.Errorf("%+v, %v", z, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, expected %q", err, c.want)
		}
	}
}
