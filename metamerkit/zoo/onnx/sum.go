package onnx

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/gomlx/compute-onnx/support/protos"
)

// Sum is the SHA-256 that tells models apart: that of the file or, where it refers to
// others beside it, that of all their sums and names. Models of one architecture that
// were trained apart can differ in those alone. sum is that of one file.
func Sum(path string, sum func(path string) (string, error)) (string, error) {
	own, err := sum(path)
	if err != nil {
		return "", err
	}
	names, err := refers(path)
	if err != nil {
		return "", err
	}
	sums := map[string]string{}
	for _, name := range names {
		if !filepath.IsLocal(name) {
			return "", fmt.Errorf("onnx: %s refers to %q, which is not in its folder", path, name)
		}
		if sums[name], err = sum(filepath.Join(filepath.Dir(path), name)); err != nil {
			return "", err
		}
	}
	return combined(own, sums), nil
}

func combined(own string, beside map[string]string) string {
	if len(beside) == 0 {
		return own
	}
	all := sha256.New()
	fmt.Fprintln(all, own)
	for _, name := range slices.Sorted(maps.Keys(beside)) {
		fmt.Fprintf(all, "%s %q\n", beside[name], name)
	}
	return hex.EncodeToString(all.Sum(nil))
}

// referring is a file as it was when its references were read.
type referring struct {
	size  int64
	when  time.Time
	names []string
}

var known sync.Map // path → referring

// refers lists the files that the one at path refers to, read again when its size or
// time is another.
func refers(path string) ([]string, error) {
	now, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	if r, ok := known.Load(path); ok && r.(referring).size == now.Size() && r.(referring).when.Equal(now.ModTime()) {
		return r.(referring).names, nil
	}
	m, err := decodeFile(path)
	if err != nil {
		return nil, err
	}
	names := outside(m)
	known.Store(path, referring{now.Size(), now.ModTime(), names})
	return names, nil
}

// outside lists the files in which tensors of a model lie, sorted.
func outside(m *protos.ModelProto) []string {
	names := map[string]bool{}
	tensor := func(t *protos.TensorProto) {
		if t.GetDataLocation() != protos.TensorProto_EXTERNAL {
			return
		}
		for _, e := range t.ExternalData {
			if e.GetKey() == "location" && e.GetValue() != "" {
				names[e.GetValue()] = true
			}
		}
	}
	var graph func(g *protos.GraphProto)
	nodes := func(list []*protos.NodeProto) {
		for _, n := range list {
			for _, a := range n.GetAttribute() {
				tensor(a.GetT())
				graph(a.GetG())
			}
		}
	}
	graph = func(g *protos.GraphProto) {
		for _, t := range g.GetInitializer() {
			tensor(t)
		}
		nodes(g.GetNode())
	}
	graph(m.Graph)
	for _, f := range m.Functions {
		nodes(f.GetNode())
	}
	return slices.Sorted(maps.Keys(names))
}
