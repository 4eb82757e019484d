package engine

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/place"
)

// ViT-Ti's top-1 on 500 ImageNet photographs (centre crop of 224 from a short side
// of 256; PyTorch gives 81.7 % on twice as many).
func TestImageNetSample(t *testing.T) {
	if testing.Short() {
		t.Skip("500 images are too many for -short")
	}
	if os.Getenv("METAMERS_DATA") == "" {
		t.Setenv("METAMERS_DATA", "../../../shared/data")
	}
	list, err := place.Find("imagenet-sample/labels.tsv")
	if err != nil {
		t.Skipf("no ImageNet sample here: %v", err)
	}
	set := sample(t, list)
	e := New(backendtest.Open(t, backend.XLA))
	acts, _, err := e.Activations("vit_tiny_patch16_224", []string{"logits"}, set, 50)
	if err != nil {
		t.Skipf("no weights here: %v", err)
	}
	hits := 0
	for i, a := range acts[0] {
		if argmax(a) == set.Labels[i] {
			hits++
		}
	}
	t.Logf("top-1: %d of %d", hits, set.Len())
	if hits*100 < 80*set.Len() {
		t.Errorf("top-1 is %d of %d, expected at least 80 %%", hits, set.Len())
	}
}

// sample reads the images that a labels.tsv lists: file, wnid, index, name.
func sample(t *testing.T, list string) *images.Set {
	t.Helper()
	f, err := os.Open(list)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	set := &images.Set{Name: "imagenet-sample", Size: 224}
	lines := bufio.NewScanner(f)
	lines.Scan() // the header
	for lines.Scan() {
		fields := strings.Split(lines.Text(), "\t")
		label, err := strconv.Atoi(fields[2])
		if err != nil {
			t.Fatalf("%s: %v", list, err)
		}
		pixels, err := images.Decode(filepath.Join(filepath.Dir(list), fields[0]), 256, "bicubic")
		if err != nil {
			t.Fatal(err)
		}
		for y := range 224 {
			from := ((y+16)*256 + 16) * 3
			set.Pixels = append(set.Pixels, pixels[from:from+224*3]...)
		}
		set.Names, set.Labels = append(set.Names, fields[0]), append(set.Labels, label)
	}
	return set
}
