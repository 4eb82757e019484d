package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The references of a run are found in each folder that held them, whatever null set has the
// same pixels; a null set of too few images is told before the run.
func TestRunFindsItsReferences(t *testing.T) {
	store, cache := t.TempDir(), "METAMERS_CACHE="+t.TempDir()
	at := func(dir string, args ...string) (string, bool) {
		p := program(t, append([]string{cache, "--backend", "go"}, args...)...)
		p.Dir = dir
		out, err := p.CombinedOutput()
		return string(out), err == nil
	}
	frog, err := os.ReadFile("../../testdata/photos/frog.jpg")
	if err != nil {
		t.Fatal(err)
	}
	first, second, elsewhere := t.TempDir(), t.TempDir(), t.TempDir()
	if err := os.Mkdir(filepath.Join(first, "dup"), 0o777); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(first, "frog.jpg"), filepath.Join(second, "frog.jpg"), filepath.Join(first, "dup", "a.jpg"), filepath.Join(first, "dup", "b.jpg")} {
		if err := os.WriteFile(path, frog, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	synth := []string{"synth", "--models", "plain7_48.mm_c10", "--stage", "early", "--size", "32", "--evaluations", "2", "--store", store, "--images", "frog.jpg", "--null"}
	out, ok := at(first, append(synth, "dup")...)
	warning, result := strings.Index(out, "the null set dup has 0 pairs, expected at least 1000: images will not be tested"), strings.Index(out, "run ")
	if !ok || warning < 0 || result < warning {
		t.Fatalf("no warning before the run: %s", out)
	}
	classify := func() (string, bool) {
		t.Helper()
		out, ok := "", true
		ids, err := filepath.Glob(filepath.Join(store, "*", "recipe.json"))
		if err != nil || len(ids) == 0 {
			t.Fatal(ids, err)
		}
		for _, id := range ids {
			text, good := at(elsewhere, "classify", "run:"+filepath.Base(filepath.Dir(id)), "--store", store)
			out, ok = out+text, ok && good
		}
		return out, ok
	}
	if out, ok = classify(); !ok {
		t.Errorf("beside a null set of copies: %s", out)
	}
	if out, ok = at(second, append(synth, "none")...); !ok {
		t.Fatal(out)
	}
	if err := os.Remove(filepath.Join(second, "frog.jpg")); err != nil {
		t.Fatal(err)
	}
	if out, ok = classify(); !ok {
		t.Errorf("without the last folder: %s", out)
	}
	if err := os.Remove(filepath.Join(first, "frog.jpg")); err != nil {
		t.Fatal(err)
	}
	out, ok = classify()
	for _, dir := range []string{first, second} {
		if ok || !strings.Contains(out, "from "+filepath.Join(dir, "frog.jpg")) {
			t.Errorf("the error does not say that %s was tried: %s", dir, out)
		}
	}
	plan := filepath.Join(elsewhere, "plan.yaml")
	if err := os.WriteFile(plan, []byte("name: p\nimages: photos:1\nsize: 32\nsets:\n  - [plain7_48.mm_c10]\nsettings: {nullSet: nowhere}\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if out, ok = at(elsewhere, "reproduce", "--scale", plan, "--dry-run"); ok || !strings.Contains(out, "plan p: engine: null set: images: stat nowhere") {
		t.Errorf("a plan with a null set that is missing: %s", out)
	}
}
