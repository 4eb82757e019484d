package display

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"strings"
	"testing"
	"time"
)

type point struct {
	Name string
	y    float64
}

type points []point

func (p points) Sum() (s float64) {
	for _, q := range p {
		s += q.y
	}
	return s
}

// Lists of structures, lists of maps and maps are tables, in HTML and in text.
func TestTables(t *testing.T) {
	for _, x := range []struct {
		v    any
		text string
	}{
		{[]point{{"a", 0.1 + 0.2}, {"bcde", math.NaN()}}, "Name    y\na     0.3\nbcde  NaN"},
		{points{{"a", 12}}, "Name   y\na     12"},
		{[]*point{{"a", 1}, nil}, "Name  y\na     1\n"},
		{map[string]int{"b": 2, "a": 10}, "key  value\na       10\nb        2"},
		{map[int]point{10: {"x", 1}, 9: {"y", 2}}, "key  Name  y\n  9  y     2\n 10  x     1"},
		{[]map[string]any{{"a": 1}, {"a": 20, "b": "x"}}, " a  b\n 1\n20  x"},
		{map[string]**point{"a": new(*point)}, "key  value\na    &<nil>"},
		{[]struct{ P *point }{{}, {&point{"x", 1}}}, "P\n<nil>\n&{Name:x y:1}"},
		{map[string][]int{"a": {1, 2}}, "key  value\na    [1 2]"},
	} {
		b, err := Bundle(x.v)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(b["text/plain"]); got != strings.TrimRight(x.text, "\n") {
			t.Errorf("%#v is the text\n%s\nwant\n%s", x.v, got, x.text)
		}
		if !bytes.HasPrefix(b["text/html"], []byte("<table>")) {
			t.Errorf("%#v is the page %q", x.v, b["text/html"])
		}
	}
	b, _ := Bundle(make([]point, 50))
	if n := strings.Count(string(b["text/html"]), "<tr>"); n != 1+shownRows || !strings.Contains(string(b["text/html"]), "50 rows; the first 20 are shown") {
		t.Errorf("a long list has %d lines: %s", n, b["text/html"])
	}
	b, _ = Bundle([]point{{"<b>&" + strings.Repeat("é", 200), 1}})
	if s := string(b["text/html"]); strings.Contains(s, "<b>") || !strings.Contains(s, "é…") {
		t.Errorf("text is not escaped or cut: %s", s)
	}
}

// Names of cells are shown without the mark that the kernel gives those that are not
// exported.
func TestMarkedNames(t *testing.T) {
	type row struct {
		𝟊name  string
		𝟊inner struct{ 𝟊x int }
	}
	b, err := Bundle([]row{{𝟊name: "a"}})
	if want := "name  inner\na     {x:0}"; err != nil || string(b["text/plain"]) != want {
		t.Errorf("%q %v, want %q", b["text/plain"], err, want)
	}
}

// What has a text of its own keeps it; what is empty is text.
func TestNoTables(t *testing.T) {
	for _, x := range []struct {
		v    any
		want string
	}{
		{[]point{}, "[]"}, {map[string]int{}, "map[]"}, {map[string]int(nil), "map[]"}, {[]int{1, 2}, "[1 2]"},
		{[]time.Duration{time.Second}, "[1s]"}, {[]error{io.EOF}, "[EOF]"}, {[]struct{}{{}}, "[{}]"},
		{[]image.Rectangle{image.Rect(0, 0, 1, 2)}, "[(0,0)-(1,2)]"},
		{image.NewUniform(color.White), "&{C:{Y:65535}}"}, {image.Rect(0, 0, 1, 2), "(0,0)-(1,2)"},
		{map[time.Duration]int{}, "map[]"},
	} {
		b, err := Bundle(x.v)
		if err != nil || len(b) != 1 || string(b["text/plain"]) != x.want {
			t.Errorf("%T: %q, %v; want the text %q", x.v, b, err, x.want)
		}
	}
}

func half(a int) int { return a / 2 }

func (p point) Shout(loud bool) string { return p.Name }

func TestFunctions(t *testing.T) {
	var none func()
	local := func(x ...float64) error { return nil }
	for _, x := range []struct {
		v    any
		want string
	}{
		{half, "func display.half(int) int"}, {strings.ToUpper, "func strings.ToUpper(string) string"}, {local, "func(...float64) error"},
		{none, "<nil>"}, {point{}.Shout, "func display.point.Shout(bool) string"}, {fmt.Fprintln, "func fmt.Fprintln(io.Writer, ...interface {}) (int, error)"},
		{[]any{half}, "[func display.half(int) int]"}, {map[string]func(){"a": nil}, "key  value\na    <nil>"},
	} {
		b, err := Bundle(x.v)
		if err != nil || string(b["text/plain"]) != x.want {
			t.Errorf("%T is shown as %q, %v; want %q", x.v, b["text/plain"], err, x.want)
		}
	}
}

// Lists of images are one picture, in lines.
func TestSheets(t *testing.T) {
	var list []*image.Gray
	for i := range 70 {
		m := image.NewGray(image.Rect(5, 5, 15, 15))
		m.SetGray(5, 5, color.Gray{uint8(i)})
		list = append(list, m)
	}
	b, err := Bundle(list)
	if err != nil {
		t.Fatal(err)
	}
	m, err := png.Decode(bytes.NewReader(b["image/png"]))
	if err != nil {
		t.Fatal(err)
	}
	if size := m.Bounds().Size(); size != image.Pt(12*14-4, 5*14-4) {
		t.Errorf("60 images of 10² are a picture of %v", size)
	}
	if r, _, _, _ := m.At(14, 14).RGBA(); r>>8 != 13 {
		t.Errorf("the first image of the second line is image %d", r>>8)
	}
	if got := string(b["text/plain"]); got != "70 images; the first 60 are shown" {
		t.Error(got)
	}
	wide := []image.Image{image.NewGray(image.Rect(0, 0, 2000, 3)), image.NewGray(image.Rect(0, 0, 2, 2))}
	if b, _ = Bundle(wide); string(b["text/plain"]) != "2 images" || b["image/png"] == nil {
		t.Errorf("%q", b["text/plain"])
	}
	if b, err := Bundle([]image.Image{nil}); err != nil || string(b["text/plain"]) != "[<nil>]" {
		t.Errorf("%q %v", b, err)
	}
}

// length and drawing are as gonum's vg.Length and plot.Plot are.
type length float64

type drawing struct{ broken error }

func (d *drawing) WriterTo(w, h length, format string) (io.WriterTo, error) {
	if d.broken != nil {
		panic(d.broken)
	}
	return bytes.NewBufferString(fmt.Sprintf("<%s %v×%v>", format, w, h)), nil
}

func TestPlots(t *testing.T) {
	b, err := Bundle(&drawing{})
	if err != nil || string(b["image/svg+xml"]) != "<svg 432×288>" || string(b["image/png"]) != "<png 432×288>" || string(b["text/plain"]) != "*display.drawing" {
		t.Errorf("%q %v", b, err)
	}
	if _, err := Bundle(&drawing{errors.New("below zero")}); err == nil || err.Error() != "showing a *display.drawing: below zero" {
		t.Error(err)
	}
	if b, err := Bundle((*drawing)(nil)); err != nil || string(b["text/plain"]) != "<nil>" {
		t.Errorf("%q %v", b, err)
	}
	b, err = Bundle([]*drawing{{}, {}})
	if err != nil || strings.Count(string(b["text/html"]), `<img src="data:image/svg+xml;base64,`) != 2 {
		t.Errorf("%s %v", b["text/html"], err)
	}
}

func TestGalleries(t *testing.T) {
	b, err := Bundle(make([]rich, 13))
	if err != nil || strings.Count(string(b["text/html"]), "<b>r</b>") != listed || !strings.Contains(string(b["text/plain"]), "13 values; the first 12 are shown") {
		t.Errorf("%s %v", b["text/html"], err)
	}
	if _, err := Bundle([]rich{{fail: true}}); err == nil || !strings.Contains(err.Error(), "no ink") {
		t.Error(err)
	}
}
