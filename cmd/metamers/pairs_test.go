package main

import (
	"bytes"
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Plans with pairs and with variants: reproduce that is killed and started again, and a sweep in
// parts, make the same runs to the bit; the page has what the plan asks for.
func TestHeldPlans(t *testing.T) {
	if testing.Short() {
		t.Skip("synthesises")
	}
	const plain = "images: photos:4\nsize: 32\nsets: [[plain7_48.mm_c10], [resnet8_48.mm_c10]]\nstages: [late]\nobservers: [plain7_48.mm_c10]\nmeasures: [success]\nbootstrap: 100\n"
	for name, c := range map[string]struct {
		plan string
		runs int
		has  []string // by the page
		lost []string // which it has not
	}{
		"pairs":    {plain + "pairs: true\nsettings: {steps: 40, batch: 2, optimizer: {name: adam}, nullSet: \"photos:46\"}\n", 4, []string{`id="figure8"`, `id="table6"`, "Who parts from whom?", "sheet_resnet8_48.mm_c10.png"}, []string{"%!"}},
		"variants": {plain + "settings: {variants: 2, steps: 40, batch: 2, optimizer: {name: adam}, nullSet: \"photos:46\"}\n", 2, []string{"4 images (2 variants of each)", "2 of each reference"}, []string{`id="figure8"`, "%!"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			plan, store, swept, out := filepath.Join(dir, "plan.yaml"), filepath.Join(dir, "store"), filepath.Join(dir, "swept"), filepath.Join(dir, "out")
			if err := os.WriteFile(plan, []byte("name: "+name+"\n"+c.plan), 0o666); err != nil {
				t.Fatal(err)
			}
			args := []string{"METAMERS_CACHE=" + dir, "reproduce", "--scale", plan, "--store", store, "--out", out}
			killed := program(t, append(args, "--checkpoint", "1ms")...)
			var said bytes.Buffer
			killed.Stdout, killed.Stderr = &said, &said
			if err := killed.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- killed.Wait() }()
			for begun := false; !begun; {
				kept, _ := filepath.Glob(filepath.Join(store, ".*.checkpoint"))
				select {
				case err := <-ended:
					t.Fatalf("it ended before it had a checkpoint: %v\n%s", err, said.String())
				case <-time.After(2 * time.Millisecond):
					begun = len(kept) > 0
				}
			}
			if err := killed.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			<-ended
			if text, errs, status := try(t, args...); status != 0 {
				t.Fatal(text, errs)
			}
			if text, errs, status := try(t, "METAMERS_CACHE="+dir, "sweep", plan, "--store", swept, "--shard", "images:2", "--workers", "1"); status != 0 {
				t.Fatal(text, errs)
			}
			made, _ := filepath.Glob(filepath.Join(store, "*", "manifest.json"))
			if len(made) != c.runs {
				t.Fatalf("%d runs, expected %d", len(made), c.runs)
			}
			for _, m := range made {
				for _, file := range []string{"recipe.json", "metamers.safetensors", "trace.csv"} {
					a, err1 := os.ReadFile(filepath.Join(filepath.Dir(m), file))
					b, err2 := os.ReadFile(filepath.Join(swept, filepath.Base(filepath.Dir(m)), file))
					if err1 != nil || err2 != nil || !bytes.Equal(a, b) {
						t.Errorf("%s of %s differs: %v %v", file, filepath.Base(filepath.Dir(m)), err1, err2)
					}
				}
			}
			page, err := os.ReadFile(filepath.Join(out, "index.html"))
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.has {
				if !strings.Contains(string(page), want) {
					t.Errorf("the page lacks %s", want)
				}
			}
			for _, not := range c.lost {
				if strings.Contains(string(page), not) {
					t.Errorf("the page has %s", not)
				}
			}
			// The page of the sweep's store is made without computing a run.
			again := filepath.Join(dir, "again")
			_, errs, status := try(t, "METAMERS_CACHE="+dir, "reproduce", "--scale", plan, "--store", swept, "--out", again)
			if status != 0 || !strings.Contains(errs, "and their rows are stored") {
				t.Error(errs)
			}
			if name == "pairs" {
				pairsAgree(t, out, again, filepath.Join(dir, "figures"))
			}
		})
	}
}

// pairsAgree compares Figure 8 and Table 6 of two pages, and what rows alone give.
func pairsAgree(t *testing.T, one, two, figs string) {
	t.Helper()
	if text, errs, status := try(t, "figures", "--from", filepath.Join(one, "rows.csv"), "--out", figs, "--only", "fig8,table6", "--formats", "svg,csv"); status != 0 {
		t.Fatal(text, errs)
	}
	for _, name := range []string{"figure8.svg", "table6.csv"} {
		a, err1 := os.ReadFile(filepath.Join(one, name))
		b, err2 := os.ReadFile(filepath.Join(two, name))
		c, err3 := os.ReadFile(filepath.Join(figs, name))
		if err1 != nil || err2 != nil || err3 != nil || !bytes.Equal(a, b) || !bytes.Equal(a, c) {
			t.Errorf("%s differs: %v %v %v", name, err1, err2, err3)
		}
		if name == "table6.csv" {
			if rows, err := csv.NewReader(bytes.NewReader(a)).ReadAll(); err != nil || len(rows) != 3 {
				t.Errorf("%d rows of Table 6: %v", len(rows), err)
			}
		}
	}
}
