package figures_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/figures"
	"github.com/ensemble-metamers/metamers/metamerkit/figures/figurestest"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

func ExampleContact() {
	refs, runs := figurestest.Runs([]string{"resnet20"}, []string{"resnet20", "vit_tiny_patch16_224.augreg_in21k_ft_in1k"})
	for i := range refs.Names {
		refs.Names[i] = "a spot with a long name"
	}
	m, err := figures.Contact("Metamers of spots", refs, runs...)
	if err != nil {
		fmt.Println(err)
		return
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(compare(filepath.Join("testdata", "contact"), "Contact sheet", b.Bytes()))
	// Output: Contact sheet: as testdata/contact.png
}

func ExampleLossFigure() {
	_, runs := figurestest.Runs([]string{"resnet20", "vit_tiny_patch16_224.augreg_in21k_ft_in1k"})
	run := runs[1]
	run.Trace = metamer.Trace{}
	for step := range 1000 {
		row := make([]float32, 6)
		for i := range row {
			row[i] = float32((1 + 0.2*float64(i)) * math.Exp(-float64(step)/150) * (1 + 0.1*math.Sin(float64(step*(i+1)))))
		}
		t := &run.Trace
		t.Step, t.Member, t.Image, t.Loss = append(t.Step, step), append(t.Member, step/10%2), append(t.Image, 0), append(t.Loss, row)
	}
	golden(figures.LossFigure(run))
	// Output: Inversion loss at middle, 6 images, 468 × 288 points: as testdata/loss.png
}

// One changed pixel is seen, and the difference is left to look at.
func TestGoldenSeesAPixel(t *testing.T) {
	want, err := os.ReadFile("testdata/contact.png")
	if err != nil {
		t.Fatal(err)
	}
	base := filepath.Join(t.TempDir(), "contact")
	if err := os.WriteFile(base+".png", want, 0o666); err != nil {
		t.Fatal(err)
	}
	m, err := png.Decode(bytes.NewReader(want))
	if err != nil {
		t.Fatal(err)
	}
	changed := image.NewRGBA(m.Bounds())
	draw.Draw(changed, m.Bounds(), m, m.Bounds().Min, draw.Src)
	r, g, b, _ := changed.At(9, 9).RGBA()
	changed.Set(9, 9, color.RGBA{uint8(r >> 8), uint8(g >> 8), uint8(b>>8) ^ 1, 255})
	var got bytes.Buffer
	if err := png.Encode(&got, changed); err != nil {
		t.Fatal(err)
	}
	if said := compare(base, "sheet", want); !strings.Contains(said, "as "+base) {
		t.Errorf("the golden image differs from itself: %s", said)
	}
	if said := compare(base, "sheet", got.Bytes()); !strings.Contains(said, "differs") {
		t.Errorf("a changed pixel is not seen: %s", said)
	}
	for _, f := range []string{".got.png", ".diff.png"} {
		if _, err := os.Stat(base + f); err != nil {
			t.Error(err)
		}
	}
}

// Long names are cut with an ellipsis inside the sheet: its rim stays empty.
func TestNothingIsClipped(t *testing.T) {
	refs, runs := figurestest.Runs([]string{strings.Repeat("a_model_with_a_long_name", 5)})
	refs.ClassNames[0] = strings.Repeat("a class with a long name ", 5)
	m, err := figures.Contact(strings.Repeat("A title that goes on ", 20), refs, runs...)
	if err != nil {
		t.Fatal(err)
	}
	b := m.Bounds()
	ground := m.At(b.Min.X, b.Min.Y)
	for x := b.Min.X; x < b.Max.X; x++ {
		for y := b.Min.Y; y < b.Max.Y; y++ {
			if x > b.Min.X && x < b.Max.X-2 && y > b.Min.Y && y < b.Max.Y-1 {
				continue
			}
			if m.At(x, y) != ground {
				t.Fatalf("the rim has ink at %d,%d of %v", x, y, b)
			}
		}
	}
}
