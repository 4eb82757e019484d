package zootest_test

import (
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/ensemble-metamers/metamers/metamerkit/zoo/all"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo/zootest"
)

// Every golden file is tested: a new one needs no code.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("../../../testdata/golden/zoo/*.safetensors")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".safetensors")
		t.Run(name, func(t *testing.T) {
			e := zootest.Run(t, f)
			t.Logf("largest error of an activation %.1g, of a gradient %.1g", e.Activation, e.Gradient)
		})
	}
}
