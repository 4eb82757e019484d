package photos

import (
	"fmt"
	"image/jpeg"
	"io/fs"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
)

func TestEveryPhotoHasARowAndEveryRowAPhoto(t *testing.T) {
	for set, want := range map[string]struct{ count, size int }{"photos": {171, 224}, "scenes": {24, 256}} {
		list, err := List(set)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) != want.count {
			t.Errorf("%s: %d photographs, expected %d", set, len(list), want.count)
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
			f, err := sets[set].Open(p.Name + ".jpg")
			if err != nil {
				t.Error(err)
				continue
			}
			c, err := jpeg.DecodeConfig(f)
			if err != nil || c.Width != want.size || c.Height != want.size {
				t.Errorf("%s: %d×%d (%v), expected %d×%d", p.Name, c.Width, c.Height, err, want.size, want.size)
			}
		}
		jpgs, err := fs.Glob(sets[set], "*.jpg")
		if err != nil || len(jpgs) != len(list) {
			t.Errorf("%s: %d files for %d rows (%v)", set, len(jpgs), len(list), err)
		}
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
	scenes, err := images.Open([]string{"scenes:1-4"}, images.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(scenes.Name, scenes.Names, scenes.Labels, scenes.Class(2)); got != "scenes:1-4[lighthouse_coast barn warplane] [437 425 895]warplane" {
		t.Error(got)
	}
	for _, bad := range []string{"photos:0", "scenes:25", "photos:x", "photos:1000"} {
		if _, err := images.Open([]string{bad}, images.Options{}); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
