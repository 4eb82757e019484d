package external

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
)

// Files of testdata/scripts/foreign.py hold the same images in every format.
func TestFormats(t *testing.T) {
	d := func(n string) string { return filepath.Join("testdata", n) }
	plain, err := weights.OpenArrays(d("metamers.npy"))
	if err != nil {
		t.Fatal(err)
	}
	want := plain[""].Float
	folders := t.TempDir()
	_, refs, _, err := Read(Source{Metamers: d("metamers.npy"), References: d("references.npy")})
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"b", "a"} { // written in another order than read
		for sub, pixels := range map[string][]float32{"met": want, "ref": refs.Pixels} {
			if err := os.MkdirAll(filepath.Join(folders, sub), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := images.WritePNG(filepath.Join(folders, sub, name+".png"), pixels[i*768:(i+1)*768], 16); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		s       Source
		met     string // another array to expect
		swapped bool
		note    string
	}{
		"npy":       {Source{Metamers: d("metamers.npy"), References: d("references.npy")}, "", false, "NCHW"},
		"npz":       {Source{Metamers: d("both.npz")}, "", false, "NHWC"},
		"tensor":    {Source{Metamers: d("tensor.pt"), References: d("references.npy")}, "", false, "integers divided by 255"},
		"dict":      {Source{Metamers: d("dict.pt")}, "", false, "NCHW"},
		"plenoptic": {Source{Metamers: d("plenoptic.pt"), Models: []string{"vgg"}, Stage: "late"}, d("plenoptic.npy"), false, "_metamer"},
		"folders":   {Source{Metamers: filepath.Join(folders, "met"), References: filepath.Join(folders, "ref")}, "", true, "by file name"},
		"mixed":     {Source{Metamers: filepath.Join(folders, "met"), References: d("both.npz")}, "", true, "NHWC"},
		"set":       {Source{Metamers: d("metamers.npy"), Images: refs}, "", false, "NHWC"},
	} {
		run, got, notes, err := Read(c.s)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		met := want
		if c.met != "" {
			other, err := weights.OpenArrays(c.met)
			if err != nil {
				t.Fatal(err)
			}
			met = other[""].Float
		}
		ref := refs.Pixels
		if c.swapped {
			met = append(append([]float32{}, met[768:]...), met[:768]...)
			if name == "folders" {
				ref = append(append([]float32{}, ref[768:]...), ref[:768]...)
			}
		}
		for what, p := range map[string][2][]float32{"metamers": {run.Metamers, met}, "references": {got.Pixels, ref}} {
			if len(p[0]) != len(p[1]) {
				t.Fatalf("%s: %d values of %s, expected %d", name, len(p[0]), what, len(p[1]))
			}
			for i := range p[0] {
				if math.Abs(float64(p[0][i]-p[1][i])) > 1e-6 {
					t.Errorf("%s: value %d of the %s is %v, expected %v", name, i, what, p[0][i], p[1][i])
					break
				}
			}
		}
		if !strings.Contains(strings.Join(notes, "; "), c.note) {
			t.Errorf("%s: notes %q, expected %q among them", name, notes, c.note)
		}
		r := run.Recipe
		if r.Images.Count != 2 || r.Images.Size != 16 || r.Images.SHA256 != got.SHA256() || len(r.Models) != 1 || name == "plenoptic" && (r.Models[0].Name != "vgg" || r.Stage != "late") {
			t.Errorf("%s: recipe %+v", name, r)
		}
	}
}

func TestRefused(t *testing.T) {
	d := func(n string) string { return filepath.Join("testdata", n) }
	dir := t.TempDir()
	write := func(name string, shape []int, fill float32) string {
		n := 1
		for _, s := range shape {
			n *= s
		}
		v := make([]float32, n)
		for i := range v {
			v[i] = fill
		}
		p := filepath.Join(dir, name+".npz")
		if err := weights.WriteNPZ(p, []weights.Tensor{{Name: "metamers", Shape: shape, Float: v}, {Name: "references", Shape: shape, Float: v}}); err != nil {
			t.Fatal(err)
		}
		return p
	}
	if err := os.MkdirAll(filepath.Join(dir, "odd"), 0o755); err != nil {
		t.Fatal(err)
	}
	for i, size := range []int{8, 9} {
		if err := images.WritePNG(filepath.Join(dir, "odd", string(rune('a'+i))+".png"), make([]float32, size*size*3), size); err != nil {
			t.Fatal(err)
		}
	}
	long := filepath.Join(dir, "long.npy")
	if err := os.WriteFile(long, []byte("\x93NUMPY\x02\x00v\x00{'descr': '<f4'"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		s    Source
		want string
	}{
		"long header":  {Source{Metamers: long, References: d("references.npy")}, "header declares 662372470 bytes, the file has 25"},
		"nothing":      {Source{}, "no metamers"},
		"missing":      {Source{Metamers: "/nowhere.npy"}, "nowhere"},
		"alone":        {Source{Metamers: d("metamers.npy")}, "no references"},
		"ambiguous":    {Source{Metamers: write("cube", []int{2, 3, 3, 3}, 0)}, "NHWC or NCHW"},
		"rectangle":    {Source{Metamers: write("oblong", []int{2, 8, 9, 3}, 0)}, "square"},
		"rank":         {Source{Metamers: write("flat", []int{2, 8}, 0)}, "no stack"},
		"normalised":   {Source{Metamers: write("norm", []int{1, 8, 8, 3}, -1.5)}, "-1.5"},
		"bytes":        {Source{Metamers: write("bytes", []int{1, 8, 8, 3}, 200)}, "200"},
		"NaN":          {Source{Metamers: write("nan", []int{1, 8, 8, 3}, float32(math.NaN()))}, "NaN"},
		"wrong layout": {Source{Metamers: d("both.npz"), Layout: "nchw"}, "nchw"},
		"layout":       {Source{Metamers: d("both.npz"), Layout: "nhcw"}, "did you mean"},
		"count":        {Source{Metamers: d("metamers.npy"), References: write("one", []int{1, 16, 16, 3}, 0)}, "2 metamers"},
		"sizes":        {Source{Metamers: filepath.Join(dir, "odd"), References: d("references.npy")}, "not resized"},
		"two files":    {Source{Metamers: d("both.npz"), References: d("dict.pt")}, ""},
		"no array":     {Source{Metamers: "foreign.go"}, "foreign.go"},
	} {
		_, _, _, err := Read(c.s)
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, expected %q in it", name, err, c.want)
		}
	}
	// A layout resolves what the shape leaves open; a little beyond the range is clamped.
	if _, _, _, err := Read(Source{Metamers: filepath.Join(dir, "cube.npz"), Layout: "nchw"}); err != nil {
		t.Error(err)
	}
	run, _, notes, err := Read(Source{Metamers: write("beyond", []int{1, 8, 8, 1}, 1.05)})
	if err != nil || run.Metamers[0] != 1 || !strings.Contains(strings.Join(notes, " "), "clamped") || !strings.Contains(strings.Join(notes, " "), "one channel") {
		t.Errorf("%v %v %v", err, run, notes)
	}
}

// No file makes the reader panic or take memory that the file does not bear out.
func FuzzArrays(f *testing.F) {
	for _, n := range []string{"metamers.npy", "references.npy", "both.npz", "dict.pt"} {
		data, err := os.ReadFile(filepath.Join("testdata", n))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, filepath.Ext(n))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte, ext string) {
		if ext != ".npz" {
			ext = ".npy"
		}
		p := filepath.Join(dir, "x"+ext)
		if err := os.WriteFile(p, data, 0o600); err != nil {
			t.Fatal(err)
		}
		run, refs, _, err := Read(Source{Metamers: p, References: p + "/../../nothing"})
		if err == nil && len(run.Metamers) != refs.Len()*refs.Size*refs.Size*3 {
			t.Errorf("%d values for %d images of %d²", len(run.Metamers), refs.Len(), refs.Size)
		}
		if file, err := weights.OpenArrays(p); err == nil {
			for name, a := range file {
				pixels(p, "", a)
				if len(a.Float)+len(a.Int) > 1032*len(data) {
					t.Errorf("array %q has %d elements, the file %d bytes", name, len(a.Float)+len(a.Int), len(data))
				}
			}
		}
	})
}
