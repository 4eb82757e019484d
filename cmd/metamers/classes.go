package main

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/engine"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
)

// readLabels reads a table of files and class numbers, by file name without its
// ending, as images.Set has it.
func readLabels(path string) (map[string]int, error) {
	table, err := images.ReadLabels(path)
	if err != nil {
		return nil, err
	}
	out := map[string]int{}
	for name, l := range table {
		out[strings.TrimSuffix(name, filepath.Ext(name))] = l.Index
	}
	return out, nil
}

// readClasses reads class embeddings: safetensors with one matrix [K,D], and in the
// metadata names (K lines) and perhaps scale.
func readClasses(path string) (*engine.ZeroShot, error) {
	f, err := weights.Open(path)
	if err != nil {
		return nil, err
	}
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%s: "+format, append([]any{path}, args...)...)
	}
	if len(f.Tensors) != 1 {
		return nil, bad("%d tensors, expected one matrix of class embeddings", len(f.Tensors))
	}
	z := &engine.ZeroShot{}
	for _, t := range f.Tensors {
		if t.Float == nil || len(t.Shape) != 2 || t.Shape[0] < 1 || t.Shape[1] < 1 {
			return nil, bad("tensor %s is %s %v, expected a float matrix [classes, values]", t.Name, t.DType, t.Shape)
		}
		for i := range t.Shape[0] {
			z.Classes = append(z.Classes, t.Float[i*t.Shape[1]:(i+1)*t.Shape[1]])
		}
	}
	if s := f.Metadata["scale"]; s != "" {
		if z.Scale, err = strconv.ParseFloat(s, 64); err != nil || !(z.Scale > 0) {
			return nil, bad("scale is %q, expected a number above 0", s)
		}
	}
	z.Names = strings.Split(strings.TrimRight(f.Metadata["names"], "\n"), "\n")
	if len(z.Names) != len(z.Classes) {
		return nil, bad("%d names in its metadata for %d classes, expected a line each", len(z.Names), len(z.Classes))
	}
	return z, nil
}
