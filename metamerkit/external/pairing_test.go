package external

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
)

// Ten metamers, of which the one called N has the grey N/200, and references likewise.
func TestPairing(t *testing.T) {
	dir := t.TempDir()
	made := 0
	folder := func(form string, numbers ...int) string {
		made++
		sub := filepath.Join(dir, fmt.Sprint(made), "x")
		writeGreys(t, sub, form, numbers)
		return sub
	}
	ten := []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	for name, c := range map[string]struct{ met, ref, note, err string }{
		"names":         {folder("%d.png", ten...), folder("%d.png", ten...), "by file name", ""},
		"zeros":         {folder("%d.png", ten...), folder("%02d.png", ten...), "numbers", ""},
		"other words":   {folder("metamer_%d.png", ten...), folder("run7_%04d_reference.png", ten...), "numbers", ""},
		"other numbers": {folder("%d.png", ten...), folder("%02d.png", 0, 1, 2, 3, 4, 5, 6, 7, 8, 9), "", "has 1, which"},
		"no numbers":    {folder("%[1]c.png", 'a', 'b'), folder("%[1]c.png", 'x', 'y'), "", "has a, which"},
		"two numbers":   {folder("%d_%[1]d.png", 1, 2), folder("%d.png", 1, 2), "", "has 1_1, which"},
		"one":           {folder("met.png.%d.png", 3), folder("ref.%d.png", 3), "numbers", ""},
	} {
		run, refs, notes, err := Read(Source{Metamers: c.met, References: c.ref})
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), "and lacks") {
				t.Errorf("%s: %v, expected an error with %q", name, err, c.err)
			}
			continue
		}
		if err != nil || !slices.Equal(run.Metamers, refs.Pixels) {
			t.Errorf("%s: metamers and references are not those of each other, %v", name, err)
		}
		if !strings.Contains(strings.Join(notes, "\n"), c.note) {
			t.Errorf("%s: notes %q, expected %q", name, notes, c.note)
		}
	}

	// In front of an array or a set with names of its own, numbered files are in the order
	// of their numbers.
	met := folder("%d.png", ten...)
	sorted, err := images.Open([]string{folder("%02d.png", ten...)}, images.Options{Size: 2})
	if err != nil {
		t.Fatal(err)
	}
	array := filepath.Join(dir, "ref.npz")
	if err := weights.WriteNPZ(array, []weights.Tensor{{Name: "references", Shape: []int{10, 2, 2, 3}, Float: sorted.Pixels}}); err != nil {
		t.Fatal(err)
	}
	other := *sorted
	other.Names = strings.Fields("k j i h g f e d c b")
	for name, s := range map[string]Source{"array": {Metamers: met, References: array}, "set": {Metamers: met, Images: sorted}, "named set": {Metamers: met, Images: &other}} {
		if run, _, _, err := Read(s); err != nil || !slices.Equal(run.Metamers, sorted.Pixels) {
			t.Errorf("%s: the metamers are in another order, %v", name, err)
		}
	}
	if _, _, _, err := Read(Source{Metamers: folder("%[1]c.png", 'a', 'b'), Images: other.Slice(0, 2)}); err == nil || !strings.Contains(err.Error(), "and lacks k") {
		t.Error(err)
	}
}

func writeGreys(t *testing.T, dir, form string, numbers []int) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, n := range numbers {
		grey := slices.Repeat([]float32{float32(n) / 200}, 2*2*3)
		if err := images.WritePNG(filepath.Join(dir, fmt.Sprintf(form, n)), grey, 2); err != nil {
			t.Fatal(err)
		}
	}
}
