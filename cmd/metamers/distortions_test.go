package main

import (
	"encoding/json"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The command writes numbers, directions and a sheet, takes up a folder where it was left,
// and keeps no two requests in one folder.
func TestDistortions(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	args := func(images string, more ...string) []string {
		return append([]string{"--backend", "go", "distortions", "--models", "resnet8_48.mm_c10,plain7_48.mm_c10", "--stage", "early", "--images", images, "--size", "8", "--products", "4", "--out", dir}, more...)
	}
	out, errs, status := try(t, args("photos:2")...)
	if status != 0 || !strings.Contains(out, "not converged") || !strings.Contains(out, "pair, second") {
		t.Fatalf("status %d, %q", status, out+errs)
	}
	data, err := os.ReadFile(filepath.Join(dir, "distortions.json"))
	if err != nil {
		t.Fatal(err)
	}
	var f distortionsFile
	if err := json.Unmarshal(data, &f); err != nil || len(f.Images) != 2 || len(f.Images[1].Pair.Ratios) != 2 {
		t.Fatalf("%v: %s", err, data)
	}
	// As after an interrupt, the second image is missing: it comes out as before.
	f.Images = f.Images[:1]
	less, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "distortions.json"), less, 0o666); err != nil {
		t.Fatal(err)
	}
	if out, errs, status := try(t, args("photos:2")...); status != 0 || strings.Count(out, "most noticed") != 1 {
		t.Fatalf("status %d, %q", status, out+errs)
	}
	if again, err := os.ReadFile(filepath.Join(dir, "distortions.json")); err != nil || string(again) != string(data) {
		t.Errorf("%v, %s\nbefore\n%s", err, again, data)
	}
	sheet, err := os.Open(filepath.Join(dir, "sheet.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer sheet.Close()
	if _, err := png.DecodeConfig(sheet); err != nil {
		t.Error(err)
	}
	for what, c := range map[string]struct {
		args []string
		want string
	}{
		"other images": {args("photos:1"), "or another folder"},
		"twice":        {args("photos:2", "--models", "resnet8_48.mm_c10"), "named twice"},
		"floor":        {args("photos:2", "--floor", "1e-12"), "floor is 1e-12"},
	} {
		if _, errs, status := try(t, c.args...); status != 1 || !strings.Contains(errs, c.want) {
			t.Errorf("%s: status %d, %q, expected %q", what, status, errs, c.want)
		}
	}
}
