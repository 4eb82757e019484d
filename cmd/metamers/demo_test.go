package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The demonstration writes a page with the photograph and a metamer for each set of models.
func TestDemo(t *testing.T) {
	dir := t.TempDir()
	page, store := filepath.Join(dir, "demo.html"), filepath.Join(dir, "runs")
	out, errs, status := try(t, "demo", "--evaluations", "2", "--out", page, "--store", store)
	if status != 0 || strings.TrimSpace(out) != page {
		t.Fatalf("status %d, %q", status, out+errs)
	}
	html, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(html), "data:image/png;base64,"); n != 3 || strings.Contains(string(html), "ZgotmplZ") {
		t.Errorf("the page has %d pictures, expected 3", n)
	}
	for _, s := range demoSets {
		for _, m := range s.Models {
			if !strings.Contains(string(html), "<td>"+m+"</td>") {
				t.Errorf("the page has no match statistics of %s", m)
			}
		}
	}
	if _, errs, status := try(t, "demo", "--out", filepath.Join(dir, "none", "demo.html"), "--store", store); status != 1 || !strings.Contains(errs, "no such file or directory") || strings.Contains(errs, "gradient evaluations") {
		t.Errorf("a page in a folder that does not exist: status %d, %q, expected an error before the work", status, errs)
	}
	if _, errs, status := try(t, "demo", "photos:2", "--out", page, "--store", store); status != 1 || !strings.Contains(errs, "photos:2 has 2 images: expected 1") {
		t.Errorf("status %d, %q", status, errs)
	}
}

// The list has the models whose weights are there first, and takes filters.
func TestModelsList(t *testing.T) {
	lines := func(args ...string) []string {
		t.Helper()
		out, errs, status := try(t, append([]string{"models"}, args...)...)
		if status != 0 {
			t.Fatalf("%v: status %d, %q", args, status, errs)
		}
		return strings.Split(strings.TrimSpace(out), "\n")[1:]
	}
	all := lines()
	for i, l := range all[1:] {
		if strings.Contains(l, " available ") && strings.Contains(all[i], " missing ") {
			t.Errorf("%q comes after %q", l, all[i])
		}
	}
	for _, l := range lines("--available") {
		if !strings.Contains(l, " available ") {
			t.Errorf("--available lists %q", l)
		}
	}
	robust := lines("--kind", "transformer", "--training", "robust", "--match", "vit")
	if len(robust) < 4 || len(robust) >= len(all) {
		t.Errorf("%d robust transformers of %d models", len(robust), len(all))
	}
	for _, l := range robust {
		if !strings.Contains(l, " transformer ") || !strings.Contains(l, " robust ") || !strings.Contains(strings.ToLower(l), "vit") {
			t.Errorf("robust transformers are said to have %q", l)
		}
	}
	if got := lines("--match", "resnet8_48*"); len(got) != 2 {
		t.Errorf("resnet8_48* matches %q", got)
	}
	for args, want := range map[string]string{"--kind cn": "expected one of cnn, transformer", "--match xyzzy": "metamers models lists all", "--match [": "syntax error"} {
		if _, errs, status := try(t, append([]string{"models"}, strings.Fields(args)...)...); status != 1 || !strings.Contains(errs, want) {
			t.Errorf("%s: status %d, %q", args, status, errs)
		}
	}
}

// In a terminal lines are as wide as it is at most, and columns are whole or left out.
func TestModelsListFits(t *testing.T) {
	rows := []modelRow{{Name: "resnet20_cifar10", Kind: "cnn", Training: "standard", Title: "ResNet-20 of six blocks for CIFAR-10", Weights: "a"}, {Name: "vit", Kind: "transformer", Training: "robust", Title: "ViT"}}
	for width, want := range map[int]string{
		0:  "name              kind         training  weights    title\nresnet20_cifar10  cnn          standard  available  ResNet-20 of six blocks for CIFAR-10\nvit               transformer  robust    missing    ViT\n",
		75: "name              kind         training  weights    title\nresnet20_cifar10  cnn          standard  available  ResNet-20 of six block…\nvit               transformer  robust    missing    ViT\n",
		60: "name              kind         training  weights\nresnet20_cifar10  cnn          standard  available\nvit               transformer  robust    missing\n",
		40: "name              kind         training\nresnet20_cifar10  cnn          standard\nvit               transformer  robust\n",
		10: "name\nresnet20_…\nvit\n",
	} {
		got, err := printed(t, func() error { printModels(rows, width); return nil })
		if err != nil || got != want {
			t.Errorf("width %d: %v\n%s\nexpected\n%s", width, err, got, want)
		}
	}
}
