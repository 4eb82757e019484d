package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The plans of the program say what they take and what they lack, before anything is
// done.
func TestPlansBeforehand(t *testing.T) {
	env := []string{"METAMERS_CACHE=" + t.TempDir(), "METAMERS_BACKEND=go", "METAMERS_DATA=" + t.TempDir(), "HF_HOME=" + t.TempDir()}
	list, errs, status := try(t, append(env, "--json", "reproduce", "--list")...)
	var plans []struct {
		Name, About     string
		Runs, Steps     int
		Missing         []string
		ExpectedSeconds *float64
	}
	if err := json.Unmarshal([]byte(list), &plans); status != 0 || err != nil || len(plans) < 3 {
		t.Fatal(status, err, list, errs)
	}
	for _, p := range plans {
		if p.About == "" || p.ExpectedSeconds != nil {
			t.Errorf("%+v", p)
		}
		if p.Name == "full" && (p.Runs != 36 || p.Steps != 5000 || len(p.Missing) != 16) {
			t.Errorf("%+v", p)
		}
	}
	out, errs, status := try(t, append(env, "reproduce", "--scale", "full", "--dry-run")...)
	for _, want := range []string{"robust CNN and transformer", "36 of 36 runs", "speed unknown for ", "4.32 million gradient evaluations", "GB or more): metamers models pull", "metamers models show NAME", "metamers models pull resnet50.tv_in1k vgg16_bn.tv_in1k", "24 images of 224²"} {
		if status != 0 || !strings.Contains(out, want) {
			t.Errorf("status %d, no %q in\n%s%s", status, want, out, errs)
		}
	}
	if out, errs, status := try(t, append(env, "reproduce", "--scale", "full", "--out", filepath.Join(t.TempDir(), "out"))...); status == 0 || out != "" || !strings.Contains(errs, "needs 16 models") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	if out, errs, status := try(t, append(env, "reproduce", "--measure")...); status == 0 || out != "" || !strings.Contains(errs, "--dry-run") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
}

// A study of a carried model measures, says what to expect, and leaves a folder that
// figures are drawn from again; the second time all is there.
func TestStudyOfCarriedModel(t *testing.T) {
	dir, results := t.TempDir(), filepath.Join(t.TempDir(), "out")
	plan := filepath.Join(dir, "plan.yaml")
	text := "name: small\nimages: photos:4\nsize: 32\nsets: [\"plain7_48.mm_c10\"]\nstages: [early]\nobservers: [plain7_48.mm_c10]\nmeasures: [recognizability]\nbootstrap: 100\nsettings: {paper: true, steps: 3, batch: 4}\n"
	if err := os.WriteFile(plan, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	env := []string{"METAMERS_CACHE=" + dir, "METAMERS_BACKEND=go", "METAMERS_RUNS=" + filepath.Join(dir, "runs")}
	for i, want := range []string{"expected: ", "all 1 runs and their rows are stored"} {
		out, errs, status := try(t, append(env, "reproduce", "--scale", plan, "--out", results)...)
		if status != 0 || !strings.Contains(errs, want) {
			t.Fatalf("time %d: status %d, no %q\n%s%s", i+1, status, want, out, errs)
		}
	}
	page, err := os.ReadFile(filepath.Join(results, "index.html"))
	if err != nil || !strings.Contains(string(page), "study.json") {
		t.Error(err)
	}
	out, errs, status := try(t, append(env, "figures", "--from", results, "--out", filepath.Join(dir, "again"), "--only", "fig2", "--formats", "svg")...)
	if status != 0 || !strings.Contains(out, "figure2.svg") {
		t.Fatalf("status %d\n%s%s", status, out, errs)
	}
	first, err1 := os.ReadFile(filepath.Join(results, "figure2.svg"))
	again, err2 := os.ReadFile(filepath.Join(dir, "again", "figure2.svg"))
	if err1 != nil || err2 != nil || string(first) != string(again) {
		t.Errorf("figure 2 differs when it is drawn again: %v %v", err1, err2)
	}
}
