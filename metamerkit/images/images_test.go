package images

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Resizing and cropping equals torchvision's on PIL images, to the level.
func TestAgainstPIL(t *testing.T) {
	files, err := filepath.Glob("testdata/in_*.png")
	if err != nil || len(files) != 5 {
		t.Fatalf("%v %v", files, err)
	}
	for _, f := range files {
		for _, filter := range Filters {
			got, err := Decode(f, 24, filter)
			if err != nil {
				t.Fatal(err)
			}
			want, err := Decode(strings.Replace(f, "in_", filter+"_", 1), 24, filter)
			if err != nil {
				t.Fatal(err)
			}
			off, most := 0, 0
			for i := range got {
				d := int(got[i]*255+0.5) - int(want[i]*255+0.5)
				if d = max(d, -d); d > 0 {
					off, most = off+1, max(most, d)
				}
			}
			if most > 0 {
				t.Errorf("%s %s: %d of %d values differ from PIL, by at most %d", filter, f, off, len(got), most)
			}
		}
	}
}

func writeFile(t *testing.T, name string, data []byte) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestBadImages(t *testing.T) {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 40, 40))); err != nil {
		t.Fatal(err)
	}
	huge := append([]byte{}, b.Bytes()...)
	copy(huge[16:], []byte{0x40, 0, 0, 0, 0x40, 0, 0, 0}) // the header's width and height
	for name, data := range map[string][]byte{"text.png": []byte("hello"), "cut.png": b.Bytes()[:b.Len()/2], "huge.png": huge, "empty.jpg": nil} {
		p := writeFile(t, name, data)
		if _, err := Decode(p, 32, ""); err == nil || !strings.Contains(err.Error(), p) {
			t.Errorf("%s: %v, expected an error that names it", name, err)
		}
	}
	if _, err := Open([]string{t.TempDir()}, Options{}); err == nil {
		t.Error("an empty folder is accepted")
	}
	if _, err := Open([]string{"/nowhere"}, Options{}); err == nil {
		t.Error("a missing folder is accepted")
	}
}

// Cells and plans name files in the home folder as a shell does.
func TestHomeFolder(t *testing.T) {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 40, 40))); err != nil {
		t.Fatal(err)
	}
	p := writeFile(t, "a.png", b.Bytes())
	t.Setenv("HOME", filepath.Dir(p))
	s, err := Open([]string{"~/a.png"}, Options{Size: 32, Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.Paths, []string{p}) {
		t.Errorf("paths %q, expected %q", s.Paths, p)
	}
}

func TestFakeCIFAR(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "cifar-10-batches-bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "cifar-10-batches-bin", "test_batch.bin")
	data := make([]byte, 3*record)
	data[record], data[record+1], data[record+1+1024], data[record+1+2048] = 7, 255, 51, 0
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("METAMERS_DATA", dir)
	s, err := Open([]string{"cifar10:1-3"}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if p := s.Image(0); s.Len() != 2 || s.Class(0) != "horse" || p[0] != 1 || p[1] != 0.2 || p[2] != 0 {
		t.Errorf("read %d images, class %q, first pixel %v", s.Len(), s.Class(0), p[:3])
	}
	if _, err := Open([]string{"cifar10:4"}, Options{}); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a short file gives %v", err)
	}
	data[0] = 10
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open([]string{"cifar10:1"}, Options{}); err == nil {
		t.Error("the label 10 is accepted")
	}
	for _, bad := range []string{"cifar10:0", "cifar10:x", "cifar10:5-2", "cifar10:10001"} {
		if _, err := Open([]string{bad}, Options{}); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

func FuzzDecode(f *testing.F) {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewRGBA(image.Rect(0, 0, 3, 2))); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte("\xff\xd8\xff"))
	path := filepath.Join(f.TempDir(), "x.png")
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, _, err := image.DecodeConfig(bytes.NewReader(data)); err == nil && c.Width*c.Height > 1<<16 {
			t.Skip("large images only cost time")
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if p, err := Decode(path, 8, ""); err == nil && len(p) != 8*8*3 {
			t.Errorf("%d values", len(p))
		}
	})
}

// A part of a folder decodes its own files only, and keeps the whole's name.
func TestPart(t *testing.T) {
	dir := t.TempDir()
	for i := range 5 {
		if err := WritePNG(filepath.Join(dir, fmt.Sprintf("%d.png", i)), slices.Repeat([]float32{float32(i) / 5}, 4*4*3), 4); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := Open([]string{dir}, Options{Size: 4})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "0.png"), []byte("not an image"), 0o666); err != nil {
		t.Fatal(err)
	}
	p, err := Open([]string{dir}, Options{Size: 4, Part: &[2]int{2, 4}})
	if err != nil || p.Name != whole.Name || p.Len() != 2 || p.First != 2 || p.Of != 5 || p.Names[0] != "2" || !slices.Equal(p.Pixels, whole.Pixels[2*48:4*48]) {
		t.Errorf("%+v %v", p, err)
	}
	if q, err := whole.Part(2, 4); err != nil || q.SHA256() != p.SHA256() {
		t.Error("a part cut from the whole is another", err)
	}
	if all, err := whole.Part(0, 5); err != nil || all != whole {
		t.Error("all of a set is not the set", err)
	}
	if n, err := Count([]string{dir}, Options{}); n != 5 || err != nil {
		t.Error(n, err)
	}
	for _, bad := range [][2]int{{-1, 2}, {2, 2}, {3, 6}} {
		if _, err := Open([]string{dir}, Options{Size: 4, Part: &bad}); err == nil || !strings.Contains(err.Error(), "5 images") {
			t.Errorf("%v: %v", bad, err)
		}
	}
	if _, err := p.Part(0, 1); err == nil {
		t.Error("a part of a part")
	}
}
