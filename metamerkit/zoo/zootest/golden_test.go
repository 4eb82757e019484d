package zootest_test

import (
	"flag"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "github.com/ensemble-metamers/metamers/metamerkit/zoo/all"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo/zootest"
)

var update = flag.Bool("update", false, "write the measured errors into docs/notes/models.md")

const document = "../../../docs/notes/models.md"

func goldens(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../../testdata/golden/zoo/*.safetensors")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	return files
}

func name(file string) string { return strings.TrimSuffix(filepath.Base(file), ".safetensors") }

// Every golden file is tested: a new one needs no code. The errors stay about those
// that docs/notes/models.md states.
func TestGolden(t *testing.T) {
	stated, err := zootest.ReadTable(document)
	if err != nil {
		t.Fatal(err)
	}
	measured := map[string]zootest.Row{}
	for _, f := range goldens(t) {
		t.Run(name(f), func(t *testing.T) {
			g, err := zootest.Read(f)
			if err != nil {
				t.Fatal(err)
			}
			e := zootest.Run(t, f)
			t.Logf("largest error of an activation %.1g, of a gradient %.1g", e.Activation, e.Gradient)
			r := measured[g.Family]
			r.Add(name(f), g.Reference, e)
			measured[g.Family] = r
			// Rounding differs between machines; a figure that is ten times off is stale.
			if s := stated[g.Family]; !*update && (e.Activation > 10*s.Activation || e.Gradient > 10*s.Gradient) {
				t.Errorf("errors %.1g and %.1g, %s states %.1g and %.1g for family %s: run with -update", e.Activation, e.Gradient, document, s.Activation, s.Gradient, g.Family)
			}
		})
	}
	if *update && !t.Failed() {
		if err := zootest.WriteTable(document, measured); err != nil {
			t.Fatal(err)
		}
	}
}

// The table of docs/notes/models.md has the families, members and reference versions of
// the golden files.
func TestTable(t *testing.T) {
	stated, err := zootest.ReadTable(document)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]zootest.Row{}
	for _, f := range goldens(t) {
		g, err := zootest.Read(f)
		if err != nil {
			t.Fatal(err)
		}
		r := want[g.Family]
		r.Add(name(f), g.Reference, zootest.Errors{})
		want[g.Family] = r
	}
	if got, want := slices.Sorted(maps.Keys(stated)), slices.Sorted(maps.Keys(want)); !slices.Equal(got, want) {
		t.Fatalf("%s has the families %v, the golden files %v", document, got, want)
	}
	for family, w := range want {
		s := stated[family]
		s.Errors = zootest.Errors{}
		one := func(r zootest.Row) string { return zootest.Table(map[string]zootest.Row{family: r}) }
		if one(s) != one(w) {
			t.Errorf("%s says\n%sexpected (errors aside)\n%s", document, one(s), one(w))
		}
	}
}
