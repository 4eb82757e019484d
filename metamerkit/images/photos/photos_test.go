package photos

import (
	"fmt"
	"image/jpeg"
	"io/fs"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
	files "github.com/ensemble-metamers/metamers/testdata/photos"
)

func TestEveryPhotoHasARowAndEveryRowAPhoto(t *testing.T) {
	list, err := List()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 96 {
		t.Fatalf("%d photographs, expected at least 96", len(list))
	}
	seen := map[string]bool{}
	for _, p := range list {
		if seen[p.Name] || p.Category == "" || p.Source == "" {
			t.Errorf("row %+v: a double name or an empty field", p)
		}
		seen[p.Name] = true
		if (p.ImageNet >= 0) != (p.ImageNetName != "") || p.ImageNet > 999 {
			t.Errorf("%s: ImageNet class %d is called %q", p.Name, p.ImageNet, p.ImageNetName)
		}
		f, err := files.Files.Open(p.Name + ".jpg")
		if err != nil {
			t.Error(err)
			continue
		}
		c, err := jpeg.DecodeConfig(f)
		if err != nil || c.Width != 224 || c.Height != 224 {
			t.Errorf("%s: %d×%d (%v), expected 224×224", p.Name, c.Width, c.Height, err)
		}
	}
	jpgs, err := fs.Glob(files.Files, "*.jpg")
	if err != nil || len(jpgs) != len(list) {
		t.Errorf("%d files for %d rows (%v)", len(jpgs), len(list), err)
	}
}

// The corners are white, the middle is not: a photograph on a white page.
func TestPixels(t *testing.T) {
	for _, size := range []int{32, 224} {
		s, err := images.Open([]string{"photos"}, images.Options{Size: size})
		if err != nil {
			t.Fatal(err)
		}
		for i := range s.Len() {
			p := s.Image(i)
			dark := 0
			for _, v := range p {
				if v < 0.7 {
					dark++
				}
			}
			if share := float64(dark) / float64(len(p)); share < 0.005 {
				t.Errorf("%s at %d²: only %.4f of its values are below .7", s.Names[i], size, share)
			}
			if p[0] < 0.9 && p[(size-1)*3] < 0.9 && p[len(p)-size*3] < 0.9 && p[len(p)-1] < 0.9 {
				t.Errorf("%s at %d²: no corner is white", s.Names[i], size)
			}
		}
	}
}

func TestPartsAndLabels(t *testing.T) {
	small, err := images.Open([]string{"photos:2-9"}, images.Options{Size: 32})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(small.Name, small.Names, small.Len()*32*32*3 == len(small.Pixels)); got != "photos:2-9[blackbird fawn frog horse garbage_truck cello cep] true" {
		t.Error(got)
	}
	var classes []string
	for i := range small.Len() {
		classes = append(classes, small.Class(i))
	}
	if got := strings.Join(classes, ","); got != "bird,deer,frog,horse,truck,," {
		t.Error("CIFAR-10 classes:", got)
	}
	big, err := images.Open([]string{"photos:1"}, images.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if big.Size != 224 || big.Labels[0] != 404 || big.Class(0) != "airliner" {
		t.Errorf("size %d, label %d, class %q; expected 224, 404, airliner", big.Size, big.Labels[0], big.Class(0))
	}
	for _, bad := range []string{"photos:0", "photos:x", "photos:1000"} {
		if _, err := images.Open([]string{bad}, images.Options{}); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
