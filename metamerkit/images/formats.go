package images

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/png"
	"io"
	"slices"
	"strings"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"
)

// format is a kind of image file, told by how it begins.
type format struct {
	name   string
	begins []string // ? stands for any byte
	size   func(data []byte) (w, h int, err error)
	decode func(data []byte) (raster, error)
	exif   func(data []byte) []byte // the Exif block; nil: the format has none
}

var formats = []format{
	{"JPEG", []string{"\xff\xd8\xff"}, jpegSize, decodeJPEG, jpegExif},
	{"PNG", []string{"\x89PNG\r\n\x1a\n"}, sizer(png.DecodeConfig), decodePNG, pngExif},
	{"WebP", []string{"RIFF????WEBP"}, sizer(webp.DecodeConfig), decodeWebP, webpExif},
	{"BMP", []string{"BM"}, sizer(bmp.DecodeConfig), decoder(bmp.Decode), nil},
	{"TIFF", []string{"II*\x00", "MM\x00*"}, sizer(tiff.DecodeConfig), decoder(tiff.Decode), func(data []byte) []byte { return data }},
	{"GIF", []string{"GIF87a", "GIF89a"}, sizer(gif.DecodeConfig), decodeGIF, nil},
}

// unread names formats that are recognised so that the error can say what the file is.
var unread = []format{
	{name: "a HEIF or AVIF image", begins: []string{"????ftyp"}},
	{name: "a JPEG 2000 image", begins: []string{"\x00\x00\x00\x0cjP  ", "\xff\x4f\xff\x51"}},
	{name: "a JPEG XL image", begins: []string{"\xff\x0a", "\x00\x00\x00\x0cJXL "}},
	{name: "an AppleDouble file, in which macOS stores attributes of an image", begins: []string{"\x00\x05\x16\x07"}},
	{name: "a PDF document", begins: []string{"%PDF"}},
	{name: "an SVG or HTML document", begins: []string{"<"}},
}

func (f format) matches(data []byte) bool {
	return slices.ContainsFunc(f.begins, func(b string) bool {
		if len(data) < len(b) {
			return false
		}
		for i := range b {
			if b[i] != '?' && b[i] != data[i] {
				return false
			}
		}
		return true
	})
}

// formatOf tells a file's format by its content.
func formatOf(path string, data []byte) (format, error) {
	for _, f := range formats {
		if f.matches(data) {
			return f, nil
		}
	}
	is := "of an unknown format"
	for _, f := range unread {
		if f.matches(data) {
			is = f.name
		}
	}
	if len(data) == 0 {
		is = "empty"
	}
	var names []string
	for _, f := range formats {
		names = append(names, f.name)
	}
	return format{}, fmt.Errorf("images: %s is %s, expected %s or %s", path, is, strings.Join(names[:len(names)-1], ", "), names[len(names)-1])
}

// read decodes a file and turns it as its Exif block says.
func read(path string, data []byte) (raster, error) {
	f, err := formatOf(path, data)
	if err != nil {
		return raster{}, err
	}
	w, h, err := f.size(data)
	if err != nil {
		return raster{}, fmt.Errorf("images: %s is not a readable %s image: %w", path, f.name, err)
	}
	if w < 1 || h < 1 || w > MaxPixels/h {
		return raster{}, fmt.Errorf("images: %s has %d×%d pixels, expected at most %d", path, w, h, MaxPixels)
	}
	r, err := f.decode(data)
	if err != nil {
		return raster{}, fmt.Errorf("images: %s is not a readable %s image: %w", path, f.name, err)
	}
	return r.turned(f.orientation(data)), nil
}

func sizer(config func(io.Reader) (image.Config, error)) func([]byte) (int, int, error) {
	return func(data []byte) (int, int, error) {
		c, err := config(bytes.NewReader(data))
		return c.Width, c.Height, err
	}
}

func decoder(decode func(io.Reader) (image.Image, error)) func([]byte) (raster, error) {
	return func(data []byte) (raster, error) {
		m, err := decode(bytes.NewReader(data))
		if err != nil {
			return raster{}, err
		}
		return rgb(m), nil
	}
}

// decodeGIF reads the first picture, laid on the whole screen of the file.
func decodeGIF(data []byte) (raster, error) {
	m, err := gif.Decode(bytes.NewReader(data))
	if err != nil {
		return raster{}, err
	}
	c, err := gif.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return raster{}, err
	}
	screen := image.NewNRGBA(image.Rect(0, 0, c.Width, c.Height))
	draw.Draw(screen, m.Bounds(), m, m.Bounds().Min, draw.Src)
	return rgb(screen), nil
}

// raster is 8-bit RGB.
type raster struct {
	w, h int
	pix  []uint8 // [h,w,3]
}

// rgb brings an image to 8-bit RGB, transparent pixels over white.
func rgb(m image.Image) raster {
	b := m.Bounds()
	r := raster{b.Dx(), b.Dy(), make([]uint8, 0, b.Dx()*b.Dy()*3)}
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			c := color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA)
			for _, v := range [3]uint8{c.R, c.G, c.B} {
				r.pix = append(r.pix, overWhite(v, c.A))
			}
		}
	}
	return r
}

func overWhite(v, alpha uint8) uint8 {
	return uint8((int(v)*int(alpha) + 255*(255-int(alpha)) + 127) / 255)
}
