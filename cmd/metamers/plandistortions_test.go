package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
)

// A plan with distortions: reproduce that is killed while it looks for them goes on where it
// was, a sweep leaves them to reproduce, and both have the same bits.
func TestPlanDistortions(t *testing.T) {
	if testing.Short() {
		t.Skip("synthesises")
	}
	dir := t.TempDir()
	plan, store, swept, out := filepath.Join(dir, "plan.yaml"), filepath.Join(dir, "store"), filepath.Join(dir, "swept"), filepath.Join(dir, "out")
	text := "name: seen\nimages: photos:1\nsize: 32\nsets: [[resnet8_48.mm_c10], [resnet8_48.mm_c10, plain7_48.mm_c10]]\nstages: [late]\nobservers: [plain7_48.mm_c10]\n" +
		"measures: [success]\nbootstrap: 100\ndistortions: 1\nsettings: {steps: 4, batch: 1, optimizer: {name: adam}, nullSet: \"photos:8\"}\n"
	if err := os.WriteFile(plan, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	env := []string{"METAMERS_CACHE=" + dir}
	if plugin, err := backend.FindPlugin(backend.XLA); err == nil {
		env = append(env, "PJRT_PLUGIN_LIBRARY_PATH="+filepath.Dir(plugin))
	}
	run := func(args ...string) (string, string) {
		t.Helper()
		said, errs, status := try(t, append(env, args...)...)
		if status != 0 {
			t.Fatal(said, errs)
		}
		return said, errs
	}
	reproduce := []string{"reproduce", "--scale", plan, "--store", store, "--out", out}
	if said, _ := run(append(reproduce, "--dry-run")...); !strings.Contains(said, "distortions of 2 images at a stage, at most 3,221 products with JᵀJ") {
		t.Error(said)
	}
	found := func(store, ending string) []string {
		files, _ := filepath.Glob(filepath.Join(store, ".distortions", "*."+ending))
		return files
	}
	killed := program(t, append(env, reproduce...)...)
	var said bytes.Buffer
	killed.Stdout, killed.Stderr = &said, &said
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- killed.Wait() }()
	for len(found(store, "json")) == 0 {
		select {
		case err := <-ended:
			t.Fatalf("it ended before distortions were found: %v\n%s", err, said.String())
		case <-time.After(2 * time.Millisecond):
		}
	}
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended
	before, err := os.Stat(found(store, "json")[0])
	if err != nil {
		t.Fatal(err)
	}
	run(reproduce...)
	if after, err := os.Stat(filepath.Join(store, ".distortions", before.Name())); err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("what was found before was found again: %v", err)
	}
	page, err := os.ReadFile(filepath.Join(out, "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`id="directions"`, `id="distortions"`, `href="distortions_resnet8_48.mm_c10_late.png"`, `href="distortions_resnet8_48.mm_c10_plain7_48.mm_c10_late.png"`, "pair, second"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	said1, _ := run("sweep", plan, "--store", swept, "--workers", "1")
	if !strings.Contains(said1, "for distortions, figures and tables: metamers reproduce") || len(found(swept, "*")) > 0 {
		t.Error(said1)
	}
	again := filepath.Join(dir, "again")
	run("reproduce", "--scale", plan, "--store", swept, "--out", again)
	if files := found(store, "*"); len(files) != 4 {
		t.Errorf("kept: %v", files)
	}
	for _, f := range found(store, "*") {
		same(t, f, filepath.Join(swept, ".distortions", filepath.Base(f)))
	}
	figs := filepath.Join(dir, "figures")
	run("figures", "--from", out, "--store", store, "--out", figs, "--only", "distortions", "--formats", "csv")
	for _, other := range []string{again, figs} {
		same(t, filepath.Join(out, "distortions.csv"), filepath.Join(other, "distortions.csv"))
	}
}

// same reports two files that differ.
func same(t *testing.T, one, two string) {
	t.Helper()
	a, err1 := os.ReadFile(one)
	b, err2 := os.ReadFile(two)
	if err1 != nil || err2 != nil || !bytes.Equal(a, b) {
		t.Errorf("%s and %s differ: %v %v", one, two, err1, err2)
	}
}
