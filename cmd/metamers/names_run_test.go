package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A run knows its image files: their names stand in its folder and in tables, and another
// folder is no hindrance to looking at it. Files that were moved are named by a flag.
func TestRunKnowsItsImages(t *testing.T) {
	here, store, cache := t.TempDir(), t.TempDir(), "METAMERS_CACHE="+t.TempDir()
	at := func(dir string, args ...string) (string, bool) {
		p := program(t, append([]string{cache}, args...)...)
		p.Dir = dir
		out, err := p.CombinedOutput()
		return string(out), err == nil
	}
	pics := filepath.Join(here, "my pics")
	if err := os.Mkdir(pics, 0o777); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{"frog": "a frog", "sedan": "sedan"} {
		data, err := os.ReadFile("../../testdata/photos/" + from + ".jpg")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(pics, to+".jpg"), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	out, ok := at(here, "--backend", "go", "synth", "--models", "plain7_48.mm_c10", "--stage", "early", "--size", "32", "--evaluations", "2", "--store", store, "--images", "my pics/a frog.jpg", "my pics/sedan.jpg")
	if !ok || !strings.HasPrefix(out, "2 images of 2 files (a frog, sedan), 32² pixels; plain7_48.mm_c10 at early; fast, 2 gradient evaluations an image") {
		t.Fatal(out)
	}
	for _, name := range []string{"previews/000_a_frog.png", "previews/001_sedan.png"} {
		if found, _ := filepath.Glob(filepath.Join(store, "*", name)); len(found) != 1 {
			t.Errorf("%s is not in the run", name)
		}
	}
	ids, err := filepath.Glob(filepath.Join(store, "*", "recipe.json"))
	if err != nil || len(ids) != 1 {
		t.Fatal(ids, err)
	}
	id := filepath.Base(filepath.Dir(ids[0]))[:6]
	elsewhere := t.TempDir()
	if out, ok = at(elsewhere, "runs", "show", id, "--store", store); !ok || !strings.Contains(out, "a frog") || !strings.Contains(out, "sedan") {
		t.Errorf("runs show: %s", out)
	}
	out, ok = at(elsewhere, "--backend", "go", "classify", id, "--models", "plain7_48.mm_c10,resnet8_48.mm_c10", "--store", store)
	for _, want := range []string{"a frog", "plain7_48.mm_c10*", "resnet8_48.mm_c10 ", "sedan", "of 2 images"} {
		if !ok || !strings.Contains(out, want) {
			t.Fatalf("classify does not say %q: %s", want, out)
		}
	}
	out, _ = at(elsewhere, "--backend", "go", "-q", "--json", "classify", "run:"+id, "--store", store)
	var list []compared
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list) != 1 || !list[0].Member || list[0].Images[0] != "a frog" || len(list[0].Reference) != 2 || !(list[0].Metamer[1].Probability > 0) {
		t.Errorf("%v: %s", err, out)
	}
	if out, ok = at(elsewhere, "--backend", "go", "eval", id, "--store", store, "--measures", "recognizability", "--observers", "plain7_48.mm_c10"); !ok || !strings.Contains(out, "recognizability") {
		t.Errorf("eval in another folder: %s", out)
	}
	moved := filepath.Join(here, "moved")
	if err := os.Rename(pics, moved); err != nil {
		t.Fatal(err)
	}
	if out, ok = at(elsewhere, "--backend", "go", "eval", id, "--store", store, "--anew", "--observers", "plain7_48.mm_c10"); ok || !strings.Contains(out, "--images") || !strings.Contains(out, filepath.Join(pics, "a frog.jpg")) {
		t.Errorf("eval of moved files: %s", out)
	}
	if out, ok = at(elsewhere, "--backend", "go", "classify", id, "--store", store, "--images", moved); !ok || !strings.Contains(out, "sedan") {
		t.Errorf("classify with the moved files: %s", out)
	}
	if out, ok = at(elsewhere, "--backend", "go", "classify", id, "--store", store, "--images", "photos:2"); ok || !strings.Contains(out, "are not the references of run") {
		t.Errorf("classify with other images: %s", out)
	}
	if out, ok = at(elsewhere, "classify", id, "photos:2", "--store", store); ok || !strings.Contains(out, "expected either runs or images") {
		t.Errorf("a run and images: %s", out)
	}
}
