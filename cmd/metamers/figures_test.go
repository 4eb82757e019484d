package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Metamers made elsewhere keep their rows like runs do, and figures and tables are
// drawn from a file of rows alone.
func TestForeignRowsAndFigures(t *testing.T) {
	cache, out := t.TempDir(), t.TempDir()
	rows := filepath.Join(out, "rows.csv.gz")
	eval := []string{"METAMERS_CACHE=" + cache, "METAMERS_BACKEND=go", "eval", "--metamers", "../../testdata/golden/recompute/golden.npz", "--models", "plain7_48.mm_c10", "--stage", "late",
		"--observers", "plain7_48.mm_c10", "--measures", "recognizability,jsd,metrics", "--metrics", "tv,entropy", "--resamples", "100", "--out", rows}
	first, errs, status := try(t, eval...)
	if status != 0 {
		t.Fatal(errs)
	}
	kept, err := filepath.Glob(filepath.Join(cache, "external", "*", "rows", "*.csv"))
	if err != nil || len(kept) < 3 {
		t.Fatalf("kept are %v: %v", kept, err)
	}
	data, err := os.ReadFile(kept[0])
	if err != nil || !strings.Contains(string(data), "golden.npz") || !strings.Contains(string(data), "backend go") {
		t.Fatalf("rows that are kept do not say what they are of: %.400s %v", data, err)
	}
	before, err := os.Stat(kept[0])
	if err != nil {
		t.Fatal(err)
	}
	second, errs, status := try(t, eval...)
	after, err := os.Stat(kept[0])
	if status != 0 || second != first || err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("asked again: status %d, %s%v\n%s\n%s", status, errs, err, first, second)
	}

	figs := filepath.Join(out, "figs")
	list, errs, status := try(t, "METAMERS_CACHE="+cache, "figures", "--from", rows, "--out", figs, "--only", "fig3,fig4,fig1,table5,table4", "--formats", "svg,md")
	if status != 0 || !strings.Contains(errs, "figure1 shows images") {
		t.Fatalf("status %d: %s", status, errs)
	}
	for _, name := range []string{"figure3.svg", "figure4.svg", "table4.md", "table5.md"} {
		if _, err := os.Stat(filepath.Join(figs, name)); err != nil || !strings.Contains(list, name) {
			t.Error(name, err)
		}
	}
	table, err := os.ReadFile(filepath.Join(figs, "table5.md"))
	if err != nil || !strings.Contains(string(table), "plain7") {
		t.Errorf("%s %v", table, err)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no file":  {[]string{"--from", "./nothing.csv", "--out", figs}, "nothing.csv"},
		"no run":   {[]string{"--from", "0123", "--out", figs}, "0123"},
		"no rows":  {[]string{"--from", "figures_test.go", "--out", figs}, "header"},
		"folder":   {[]string{"--from", t.TempDir(), "--out", figs}, "study.json"},
		"part":     {[]string{"--from", rows, "--out", figs, "--only", "fig9"}, "figure7"},
		"format":   {[]string{"--from", rows, "--out", figs, "--formats", "gif"}, "svg"},
		"dpi":      {[]string{"--from", rows, "--out", figs, "--dpi", "3"}, "10 to 2400"},
		"nothing":  {[]string{"--from", rows, "--out", figs, "--only", "fig1"}, "nothing could be drawn"},
		"no name":  {[]string{"--out", figs}, "--from"},
		"no place": {[]string{"--from", rows}, "--out"},
	} {
		if out, errs, status := try(t, append([]string{"METAMERS_CACHE=" + cache, "figures"}, c.args...)...); status == 0 || out != "" && name != "no name" && name != "no place" || !strings.Contains(out+errs, c.want) {
			t.Errorf("%s: status %d\n%s%s", name, status, out, errs)
		}
	}
}
