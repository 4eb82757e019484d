package onnx_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"
	"google.golang.org/protobuf/proto"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo/onnx"
)

// besides writes testdata/small.onnx with its raw tensors in another file, under the
// location that the model states.
func besides(t *testing.T, dir, location string) (path string, data []byte) {
	t.Helper()
	whole, err := os.ReadFile("testdata/small.onnx")
	if err != nil {
		t.Fatal(err)
	}
	var m protos.ModelProto
	if err := proto.Unmarshal(whole, &m); err != nil {
		t.Fatal(err)
	}
	for _, p := range m.Graph.Initializer {
		if len(p.RawData) == 0 {
			continue
		}
		p.DataLocation = protos.TensorProto_EXTERNAL
		for key, value := range map[string]string{"location": location, "offset": strconv.Itoa(len(data)), "length": strconv.Itoa(len(p.RawData))} {
			p.ExternalData = append(p.ExternalData, &protos.StringStringEntryProto{Key: key, Value: value})
		}
		data, p.RawData = append(data, p.RawData...), nil
	}
	if len(data) == 0 {
		t.Fatal("small.onnx has no raw tensors")
	}
	small, err := proto.Marshal(&m)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "small.onnx")
	if err := os.WriteFile(path, small, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, data
}

// TestFilesBeside reads tensors from a file beside the model, whose sum counts it.
func TestFilesBeside(t *testing.T) {
	dir := t.TempDir()
	path, data := besides(t, dir, "small.onnx.data")
	other := filepath.Join(dir, "small.onnx.data")
	if err := os.WriteFile(other, data, 0o600); err != nil {
		t.Fatal(err)
	}
	c := plain(9)
	net, err := onnx.Open(c, path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := weights.Open("testdata/small.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	v, _, _ := run(t, backendtest.Open(t, backend.Go), net, c.Input, read(t, f, "images"), "logits", stage.Options{}, along(read(t, f, "fc.direction")))
	near(t, "logits", v, read(t, f, "fc.value").Float)

	first := net.SHA256
	if sum, err := zoo.Sum(c, path, weights.Sum); err != nil || sum != first {
		t.Errorf("the sum is %s, error %v, and %s when it is opened", sum, err, first)
	}
	data[5] ^= 1
	if err := os.WriteFile(other, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if sum, err := zoo.Sum(c, path, weights.Sum); err != nil || sum == first {
		t.Errorf("with another file beside it the sum is %s again, error %v", sum, err)
	}
	c.Weights.SHA256 = first
	var e *weights.ChecksumError
	if _, err := onnx.Open(c, path); !errors.As(err, &e) {
		t.Errorf("another file beside a pinned model: got %v, expected a ChecksumError", err)
	}
}

// TestFilesElsewhere refuses files that are not beside the model, are no files, or are
// too short.
func TestFilesElsewhere(t *testing.T) {
	outside := t.TempDir()
	for _, c := range []struct {
		location, want string
		make           func(dir string, data []byte) error
	}{
		{"small.data", "external_data=False", func(string, []byte) error { return nil }},
		{"small.data", "the file has", func(dir string, data []byte) error {
			return os.WriteFile(filepath.Join(dir, "small.data"), data[:len(data)-1], 0o600)
		}},
		{"../small.data", "not in the model", func(dir string, data []byte) error {
			return os.WriteFile(filepath.Join(filepath.Dir(dir), "small.data"), data, 0o600)
		}},
		{"link.data", "cannot be read", func(dir string, data []byte) error {
			return errors.Join(os.WriteFile(filepath.Join(outside, "small.data"), data, 0o600), os.Symlink(filepath.Join(outside, "small.data"), filepath.Join(dir, "link.data")))
		}},
		{"folder", "regular", func(dir string, _ []byte) error { return os.Mkdir(filepath.Join(dir, "folder"), 0o700) }},
	} {
		dir := t.TempDir()
		path, data := besides(t, dir, c.location)
		if err := c.make(dir, slices.Clone(data)); err != nil {
			t.Fatal(err)
		}
		var e *onnx.FileError
		if _, err := onnx.Open(plain(9), path); !errors.As(err, &e) || !strings.Contains(e.Problem, c.want) {
			t.Errorf("tensors in %q: got %v, expected a FileError with %q", c.location, err, c.want)
		}
	}
}
