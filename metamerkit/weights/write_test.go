package weights

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// written are the tensors that make.py has written to written.npz and
// written.safetensors, in the order in which safetensors lays them out.
func written() []Tensor {
	image := make([]float32, 24)
	for i := range image {
		image[i] = float32(i)/8 - 1
	}
	return []Tensor{
		{Name: "steps", Shape: []int{3}, Int: []int64{1, -2, 1 << 40}},
		{Name: "image", Shape: []int{2, 3, 4}, Float: image},
		{Name: "loss", Shape: []int{}, Float: []float32{-0.25}},
		{Name: "none", Shape: []int{0, 3}, Float: []float32{}},
	}
}

func TestNPZEqualsNumPy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.npz")
	if err := WriteNPZ(path, written()); err != nil {
		t.Fatal(err)
	}
	members := func(path string) map[string]string {
		z, err := zip.OpenReader(path)
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		out := map[string]string{}
		for _, f := range z.File {
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			out[f.Name] = string(b)
		}
		return out
	}
	got, want := members(path), members(filepath.Join(golden, "written.npz"))
	if len(got) != len(want) {
		t.Errorf("%d members, expected %d", len(got), len(want))
	}
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s is\n%q, NumPy writes\n%q", name, got[name], want[name])
		}
	}
}

func TestSafetensorsEqualsPython(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	if err := WriteSafetensors(path, written(), map[string]string{"run": "<&é"}); err != nil {
		t.Fatal(err)
	}
	split := func(path string) (header map[string]any, body []byte) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		n := binary.LittleEndian.Uint64(data)
		if n%8 != 0 {
			t.Errorf("%s: the elements begin at byte %d, not at a multiple of 8", path, n)
		}
		if err := json.Unmarshal(data[8:8+n], &header); err != nil {
			t.Fatal(err)
		}
		return header, data[8+n:]
	}
	header, body := split(path)
	wantHeader, wantBody := split(filepath.Join(golden, "written.safetensors"))
	if !reflect.DeepEqual(header, wantHeader) {
		t.Errorf("header\n%v, Python writes\n%v", header, wantHeader)
	}
	if !bytes.Equal(body, wantBody) {
		t.Errorf("elements\n%x, Python writes\n%x", body, wantBody)
	}
}

func TestSafetensorsRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	want := []Tensor{
		{Name: "a", Shape: []int{2, 3}, Float: []float32{1, -2, float32(math.Inf(1)), 4e-42, math.MaxFloat32, float32(math.Copysign(0, -1))}, DType: "F32"},
		{Name: "b\n\"é", Shape: []int{3, 1}, Int: []int64{math.MinInt64, -2, math.MaxInt64}, DType: "I64"},
	}
	for range 2 { // the second time over the first file
		if err := WriteSafetensors(path, want, nil); err != nil {
			t.Fatal(err)
		}
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range want {
		if got := f.Tensors[w.Name]; got == nil || !reflect.DeepEqual(*got, w) {
			t.Errorf("read %+v, wrote %+v", got, w)
		}
	}
	if len(f.Tensors) != 2 || f.Metadata != nil {
		t.Errorf("read %d tensors and the metadata %v", len(f.Tensors), f.Metadata)
	}
}

// A write that fails names the file, and leaves nothing behind.
func TestFailedWrite(t *testing.T) {
	dir := t.TempDir()
	taken := filepath.Join(dir, "taken")
	if err := os.Mkdir(taken, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{taken, filepath.Join(dir, "nowhere", "x")} {
		for name, err := range map[string]error{"WriteNPZ": WriteNPZ(path, written()), "WriteSafetensors": WriteSafetensors(path, written(), nil)} {
			if err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("%s(%s): %v", name, path, err)
			}
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("the folder holds %v afterwards (%v)", left, err)
	}
}

func TestWritersPanic(t *testing.T) {
	for name, bad := range map[string][]Tensor{
		"repeated name": {{Name: "a", Shape: []int{1}, Float: []float32{1}}, {Name: "a", Shape: []int{1}, Float: []float32{1}}},
		"reserved name": {{Name: "__metadata__", Shape: []int{1}, Float: []float32{1}}},
		"wrong shape":   {{Name: "a", Shape: []int{2}, Float: []float32{1}}},
		"negative":      {{Name: "a", Shape: []int{-1, -1}, Float: []float32{1}}},
		"both kinds":    {{Name: "a", Shape: []int{2}, Float: []float32{1}, Int: []int64{1}}},
	} {
		for writer, write := range map[string]func(path string) error{
			"WriteNPZ":         func(path string) error { return WriteNPZ(path, bad) },
			"WriteSafetensors": func(path string) error { return WriteSafetensors(path, bad, nil) },
		} {
			func() {
				defer func() {
					if r, _ := recover().(string); !strings.HasPrefix(r, "weights: ") {
						t.Errorf("%s with a %s: recovered %q, expected a panic of this package", writer, name, r)
					}
				}()
				t.Error(write(filepath.Join(t.TempDir(), "x")))
			}()
		}
	}
}

// The files of a run are for the user's group as well as the umask lets them be.
func TestMode(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "x.npz")
	if err := WriteNPZ(path, written()); err != nil {
		t.Fatal(err)
	}
	var modes []os.FileMode
	for _, p := range []string{plain, path} {
		s, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		modes = append(modes, s.Mode())
	}
	if !slices.Equal(modes[:1], modes[1:]) {
		t.Errorf("mode %v, other files have %v", modes[1], modes[0])
	}
}
