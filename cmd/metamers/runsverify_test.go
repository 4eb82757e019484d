package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

// A run is verified, damaged, made again, published, and taken up elsewhere, where an
// evaluation says the same of it.
func TestStoreCommands(t *testing.T) {
	store, other, zip := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "a.zip")
	must := func(args ...string) string {
		t.Helper()
		out, errs, status := try(t, args...)
		if status != 0 {
			t.Fatalf("%v: status %d: %s", args, status, errs)
		}
		return out + errs
	}
	synth := []string{"--backend", "go", "-q", "synth", "--models", "plain7_48.mm_c10", "--stage", "early", "--images", "photos:2", "--size", "32", "--steps", "2", "--store", "file://" + store}
	must(synth...)
	if out := must("runs", "verify", "--store", store); !strings.Contains(out, "1 of 1 runs are whole") {
		t.Error(out)
	}
	ids, err := (&runs.Store{Dir: store}).IDs()
	if err != nil || len(ids) != 1 {
		t.Fatal(ids, err)
	}
	trace := filepath.Join(store, ids[0], "trace.csv")
	if err := os.WriteFile(trace, []byte("step"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, errs, status := try(t, "runs", "verify", "--store", store, "--json")
	var checks []runs.Check
	if err := json.Unmarshal([]byte(out), &checks); err != nil || status != 1 || len(checks) != 1 || checks[0].State != runs.Damaged || !strings.Contains(errs, "1 damaged") {
		t.Errorf("damaged: status %d: %s%s", status, out, errs)
	}
	if _, errs, status := try(t, "runs", "export", "--store", store, "--to", zip); status == 0 || !strings.Contains(errs, "trace.csv") {
		t.Errorf("a damaged run was exported: %s", errs)
	}
	if out := must(synth...); !strings.Contains(out, "set aside as .damaged-"+ids[0]) {
		t.Error(out)
	}
	if out := must("runs", "gc", "--store", store, "--damaged", "--dry-run"); !strings.Contains(out, "would remove "+store) || !strings.Contains(out, "1 files and folders") {
		t.Error(out)
	}
	if out := must("runs", "gc", "--store", store, "--damaged"); !strings.Contains(out, "1 files and folders") {
		t.Error(out)
	}
	if left, _ := filepath.Glob(filepath.Join(store, ".*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	eval := func(store string) string {
		return must("--backend", "go", "-q", "eval", "--store", store, "--measures", "recognizability", "--observers", "plain7_48.mm_c10")
	}
	want := eval(store)
	must("runs", "export", ids[0][:5], "--store", store, "--to", zip, "--license", "CC-BY-4.0", "--author", "A. Person")
	if out := must("runs", "verify", "--archive", zip); !strings.Contains(out, "1 of 1 runs are whole") {
		t.Error(out)
	}
	if out := must("runs", "import", zip, "--store", other); out != ids[0]+" imported\n" {
		t.Error(out)
	}
	if err := os.RemoveAll(filepath.Join(other, ids[0], "rows")); err != nil { // measured there, not taken along
		t.Fatal(err)
	}
	if got := eval(other); got != want {
		t.Errorf("elsewhere the evaluation says\n%s\nhere\n%s", got, want)
	}
	for what, args := range map[string][]string{
		"there is no store at": {"runs", "verify", "--store", filepath.Join(store, "nowhere")},
		"expected a folder, file:// or azblob:// or gs:// or s3://": {"runs", "verify", "--store", "ftp://x/y"},
		"above 0":         {"runs", "gc", "--store", store, "--older", "0s"},
		"no run":          {"runs", "export", "--store", t.TempDir(), "--to", zip},
		"not a valid zip": {"runs", "import", trace, "--store", other},
	} {
		if _, errs, status := try(t, args...); status == 0 || !strings.Contains(errs, what) {
			t.Errorf("%v: status %d: %s, expected %q", args, status, errs, what)
		}
	}
}
