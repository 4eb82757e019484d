package images

import (
	"encoding/json"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
	"github.com/ensemble-metamers/metamers/metamerkit/paths/pathstest"
)

// distance is the maximum and mean difference, in levels of 8 bits.
func distance(got []float32, want []float32) (most, mean float64) {
	for i := range got {
		d := math.Abs(float64(got[i]-want[i])) * 255
		most, mean = max(most, d), mean+d/float64(len(got))
	}
	return most, mean
}

// Every kind of JPEG against PIL (testdata/jpeg.py), as it is and after the
// evaluation transform: equal to the level.
func TestJPEGAgainstPIL(t *testing.T) {
	files, err := filepath.Glob("testdata/jpeg_*.jpg")
	if err != nil || len(files) != 10 {
		t.Fatalf("%v %v", files, err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(f, ".jpg")
		h, err := os.Open(name + ".png")
		if err != nil {
			t.Fatal(err)
		}
		m, err := png.Decode(h)
		h.Close()
		if err != nil {
			t.Fatal(err)
		}
		short := min(m.Bounds().Dx(), m.Bounds().Dy())
		want, err := Decode(name+".png", short, "")
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(f, short, "")
		if err != nil {
			t.Fatal(err)
		}
		most, mean := distance(got, want)
		t.Logf("%s decoded: at most %.0f, mean %.3f", name, most, mean)
		const levels = 0.001 // of rounding float32
		if most > levels {
			t.Errorf("%s: decoded pixels differ from PIL's by at most %.0f and %.3f in the mean", name, most, mean)
		}
		if short < 20 {
			continue
		}
		if want, err = Decode(name+"_20.png", 20, ""); err != nil {
			t.Fatal(err)
		}
		if got, err = (Transform{Size: 20, Crop: 20.0 / 22.5}).Decode(f); err != nil {
			t.Fatal(err)
		}
		most, mean = distance(got, want)
		t.Logf("%s transformed: at most %.0f, mean %.3f", name, most, mean)
		if most > levels {
			t.Errorf("%s: the evaluation transform differs from timm's by at most %.0f and %.3f in the mean", name, most, mean)
		}
	}
	for _, bad := range []Transform{{Size: 20, Crop: 1.5}, {Size: 20, Crop: -1}, {Size: 0}, {Size: 20, Crop: 1e-9}, {Size: 20, Filter: "nearest"}} {
		if _, err := bad.Decode(files[0]); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

// The mean of each channel over the evaluation crop of 500 photographs against
// PIL's (testdata/sample.py).
func TestSampleAgainstPIL(t *testing.T) {
	if os.Getenv("METAMERS_DATA") == "" {
		t.Setenv("METAMERS_DATA", "../../../shared/data")
	}
	list, err := paths.Find("imagenet-sample/labels.tsv")
	if err != nil {
		pathstest.Missing(t, "no ImageNet sample here: %v", err)
	}
	if testing.Short() {
		t.Skip("500 photographs are too many for -short")
	}
	text, err := os.ReadFile("testdata/sample.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Images map[string]map[string]struct{ Mean [3]float64 }
	}
	if err := json.Unmarshal(text, &want); err != nil || len(want.Images) != 500 {
		t.Fatalf("%d images: %v", len(want.Images), err)
	}
	transforms := map[string]Transform{"vit": {224, 0.9, "bicubic"}, "squeezenet": {227, 227.0 / 256, "bilinear"}}
	var most float64
	for name, w := range want.Images {
		for key, tr := range transforms {
			p, err := tr.Decode(filepath.Join(filepath.Dir(list), name))
			if err != nil {
				t.Fatal(err)
			}
			for c := range 3 {
				mean := 0.0
				for i := c; i < len(p); i += 3 {
					mean += float64(p[i]) * 255 * 3 / float64(len(p))
				}
				most = max(most, math.Abs(mean-w[key].Mean[c]))
			}
		}
	}
	t.Logf("largest difference of a channel's mean: %.4f levels", most)
	if most > 0.001 {
		t.Errorf("a channel's mean differs from PIL's by %.4f levels, expected at most .001", most)
	}
}
