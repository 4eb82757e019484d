package images

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// goldenFiles are the files of testdata/formats.py.
func goldenFiles(t testing.TB) (files []string) {
	t.Helper()
	all, err := filepath.Glob("testdata/fmt_*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if strings.Count(filepath.Base(f), ".") == 1 {
			files = append(files, f)
		}
	}
	if len(files) != 48 {
		t.Fatalf("%d files, expected 48", len(files))
	}
	return files
}

// Every format against Pillow, at its own size and turned as its Exif block says:
// equal to the level, but for transparency, which Pillow rounds differently.
func TestFormatsAgainstPillow(t *testing.T) {
	for _, f := range goldenFiles(t) {
		got, h, w, err := Whole(f)
		if err != nil {
			t.Error(err)
			continue
		}
		want, wantH, wantW, err := Whole(f + ".png")
		if err != nil {
			t.Fatal(err)
		}
		if h != wantH || w != wantW {
			t.Errorf("%s has %d×%d pixels, expected %d×%d", f, w, h, wantW, wantH)
			continue
		}
		if w2, h2, err := Size(f); err != nil || w2 != w || h2 != h {
			t.Errorf("Size of %s: %d×%d %v, expected %d×%d", f, w2, h2, err, w, h)
		}
		levels := 0.001
		if strings.Contains(f, "alpha") || strings.Contains(f, "lossless") {
			levels = 1.001
		}
		if most, mean := distance(got, want); most > levels {
			t.Errorf("%s differs from Pillow's pixels by at most %.0f and %.3f in the mean", f, most, mean)
		}
		if turned := strings.Contains(f, "turned") && !strings.Contains(f, "turned1"); Turned(f) != turned {
			t.Errorf("%s: turned is %v, expected %v", f, !turned, turned)
		}
	}
}

// What cannot be read is refused with the reason.
func TestRefusedImages(t *testing.T) {
	read := func(name string) []byte {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	jpeg := read("fmt_restart.jpg")
	frame := bytes.Index(jpeg, []byte("\xff\xc0"))
	changed := func(at int, b ...byte) []byte {
		out := bytes.Clone(jpeg)
		copy(out[frame+at:], b)
		return out
	}
	for want, data := range map[string][]byte{
		"ends before the picture": jpeg[:len(jpeg)-2],
		"ends":                    jpeg[:len(jpeg)/2],
		"arithmetic":              changed(1, 0xc9),
		"lossless":                changed(1, 0xc3),
		"12 bits":                 changed(4, 12),
		"too few for":             changed(5, 0x20, 0, 0x04, 0),
		"do not divide":           changed(11, 0x32),
		"2 components":            changed(9, 2),
		"pixels, expected at":     changed(5, 0xff, 0xff, 0xff, 0xff),
		"0 to 3":                  changed(12, 7),
		"restart":                 bytes.Replace(jpeg, []byte("\xff\xd1"), []byte("\xff\xd5"), 1),
		"HEIF":                    []byte("\x00\x00\x00\x18ftypheic"),
		"AppleDouble":             []byte("\x00\x05\x16\x07\x00\x02"),
		"is empty":                {},
		"unknown format":          []byte("hello"),
		"readable PNG":            read("fmt_turned.png")[:200],
		"readable WebP":           read("fmt_lossy.webp")[:100],
		"readable TIFF":           read("fmt_plain.tif")[:100],
		"readable BMP":            read("fmt_plain.bmp")[:100],
		"readable GIF":            read("fmt_plain.gif")[:100],
	} {
		_, err := DecodeBytes("x.jpg", data, 8, "")
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "x.jpg") {
			t.Errorf("%v, expected an error with %q", err, want)
		}
	}
}

func FuzzFormats(f *testing.F) {
	for _, name := range goldenFiles(f) {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		format, err := formatOf("x", data)
		if err != nil {
			return
		}
		if w, h, err := format.size(data); err == nil && w*h > 1<<16 {
			t.Skip("large images only cost time")
		}
		r, err := read("x", data)
		if err == nil && len(r.pix) != 3*r.w*r.h {
			t.Errorf("%d values of %d×%d pixels", len(r.pix), r.w, r.h)
		}
	})
}
