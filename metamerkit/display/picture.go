package display

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"reflect"
	"strings"
)

// Plots are drawn with this size in points, 72 an inch.
const plotWidth, plotHeight = 432, 288

// plotted draws a *plot.Plot of gonum.org/v1/plot as SVG and PNG. The plot is recognized
// by its method WriterTo(width, height vg.Length, format string) (io.WriterTo, error),
// so that this package does not link gonum; vg.Length is a float64 in points.
func plotted(v any) (out map[string][]byte, ok bool, err error) {
	r := reflect.ValueOf(v)
	if r.Kind() != reflect.Pointer || r.IsNil() {
		return nil, false, nil
	}
	m := r.MethodByName("WriterTo")
	if !m.IsValid() {
		return nil, false, nil
	}
	t := m.Type()
	if t.NumIn() != 3 || t.In(0).Kind() != reflect.Float64 || t.In(1) != t.In(0) || t.In(2).Kind() != reflect.String ||
		t.NumOut() != 2 || t.Out(0) != reflect.TypeFor[io.WriterTo]() || t.Out(1) != reflect.TypeFor[error]() {
		return nil, false, nil
	}
	defer func() { // gonum panics, for example at a logarithmic axis with values below 0
		if p := recover(); p != nil {
			out, err = nil, fmt.Errorf("%v", p)
		}
	}()
	out = map[string][]byte{"text/plain": fmt.Appendf(nil, "%T", v)}
	for kind, format := range map[string]string{"image/svg+xml": "svg", "image/png": "png"} {
		got := m.Call([]reflect.Value{
			reflect.ValueOf(float64(plotWidth)).Convert(t.In(0)), reflect.ValueOf(float64(plotHeight)).Convert(t.In(1)),
			reflect.ValueOf(format).Convert(t.In(2))})
		if err, _ := got[1].Interface().(error); err != nil {
			return nil, true, err
		}
		var b bytes.Buffer
		if _, err := got[0].Interface().(io.WriterTo).WriteTo(&b); err != nil {
			return nil, true, err
		}
		out[kind] = b.Bytes()
	}
	return out, true, nil
}

const largest = 1 << 15 // pixels a side of what is drawn

// drawable reports whether an image is one to look at: it has pixels, and not as many as
// an image.Uniform has. A Rectangle is an image.Image too.
func drawable(m image.Image) bool {
	if r := reflect.ValueOf(m); !r.IsValid() || r.Kind() == reflect.Pointer && r.IsNil() {
		return false
	}
	if _, is := m.(image.Rectangle); is {
		return false
	}
	b := m.Bounds()
	return b.Dx() > 0 && b.Dy() > 0 && b.Dx() <= largest && b.Dy() <= largest
}

const (
	sheetImages = 60  // images shown of a list
	sheetWidth  = 960 // pixels of a line of images, more only for one image
	sheetLine   = 12  // images of a line at most
	sheetGap    = 4   // pixels between images
)

// sheet draws a list of images as one picture; ok is false where v is none, or has an
// element that cannot be drawn.
func sheet(v any) (picture image.Image, text string, ok bool) {
	r := reflect.ValueOf(v)
	if (r.Kind() != reflect.Slice && r.Kind() != reflect.Array) || r.Len() == 0 || !r.Type().Elem().Implements(reflect.TypeFor[image.Image]()) {
		return nil, "", false
	}
	var list []image.Image
	var size image.Point
	for i := range min(r.Len(), sheetImages) {
		m, _ := r.Index(i).Interface().(image.Image)
		if !drawable(m) {
			return nil, "", false
		}
		list = append(list, m)
		size.X, size.Y = max(size.X, m.Bounds().Dx()), max(size.Y, m.Bounds().Dy())
	}
	line := min(len(list), max(1, min(sheetLine, (sheetWidth+sheetGap)/(size.X+sheetGap))))
	lines := (len(list) + line - 1) / line
	out := image.NewRGBA(image.Rect(0, 0, max(1, line*(size.X+sheetGap)-sheetGap), max(1, lines*(size.Y+sheetGap)-sheetGap)))
	draw.Draw(out, out.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	for i, m := range list {
		at := image.Pt(i%line*(size.X+sheetGap), i/line*(size.Y+sheetGap))
		draw.Draw(out, m.Bounds().Sub(m.Bounds().Min).Add(at), m, m.Bounds().Min, draw.Over)
	}
	text = fmt.Sprintf("%d images", r.Len())
	if r.Len() > len(list) {
		text += fmt.Sprintf("; the first %d are shown", len(list))
	}
	return out, text, true
}

const listed = 12 // values shown of a list of values that show themselves

// gallery shows a list of plots, or of values with a method MIMEBundle, one below the
// other; ok is false where v is none.
func gallery(v any) (out map[string][]byte, ok bool, err error) {
	r := reflect.ValueOf(v)
	if (r.Kind() != reflect.Slice && r.Kind() != reflect.Array) || r.Len() == 0 {
		return nil, false, nil
	}
	t := r.Type().Elem()
	_, plots := t.MethodByName("WriterTo")
	if !t.Implements(reflect.TypeFor[Bundler]()) && !plots {
		return nil, false, nil
	}
	var page, text strings.Builder
	for i := range min(r.Len(), listed) {
		b, err := Bundle(r.Index(i).Interface())
		if err != nil {
			return nil, true, err
		}
		text.Write(b["text/plain"])
		text.WriteByte('\n')
		page.WriteString("<div>")
		switch {
		case b["text/html"] != nil:
			page.Write(b["text/html"])
		case b["image/svg+xml"] != nil: // as an image: names within one SVG are not those within another
			page.WriteString(`<img src="data:image/svg+xml;base64,` + base64.StdEncoding.EncodeToString(b["image/svg+xml"]) + `">`)
		case b["image/png"] != nil:
			page.WriteString(`<img src="data:image/png;base64,` + base64.StdEncoding.EncodeToString(b["image/png"]) + `">`)
		default:
			page.WriteString("<pre>" + html.EscapeString(string(b["text/plain"])) + "</pre>")
		}
		page.WriteString("</div>\n")
	}
	if r.Len() > listed {
		fmt.Fprintf(&text, "%d values; the first %d are shown\n", r.Len(), listed)
		fmt.Fprintf(&page, "<p>%d values; the first %d are shown</p>\n", r.Len(), listed)
	}
	return map[string][]byte{"text/html": []byte(page.String()), "text/plain": []byte(strings.TrimRight(text.String(), "\n"))}, true, nil
}

func encodePNG(m image.Image) ([]byte, error) {
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		return nil, fmt.Errorf("an image of %v: %w", m.Bounds().Size(), err)
	}
	return b.Bytes(), nil
}
