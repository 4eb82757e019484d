package images

import (
	"fmt"
	"image"
	"image/png"
	"os"
	"slices"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// MaxPixels is the largest number of pixels, width times height, of a file that Decode
// reads. Larger files are an error.
const MaxPixels = 100_000_000

// Filters lists the resampling filters. Both are antialiased, as PIL's are.
var Filters = []string{"bicubic", "bilinear"}

// Decode reads an image file, resizes its shorter side to size pixels with an antialiased
// filter (see Filters) and crops the centre, as torchvision's Resize and CenterCrop do with
// PIL images. The result is [size,size,3] in [0,1]. Errors name the file. See
// Transform.Decode for the file formats.
func Decode(path string, size int, filter string) ([]float32, error) {
	return Transform{Size: size, Filter: filter}.Decode(path)
}

// Transform describes how a file becomes the input of a model, as timm's evaluation
// transform does: the shorter side is resized to Size/Crop, rounded down, and the central
// Size×Size pixels are cut out.
type Transform struct {
	Size   int     // pixels a side
	Crop   float64 // share that the cut keeps, above 0 and at most 1; 0: 1
	Filter string  // bicubic (default) | bilinear, antialiased
}

// Decode reads a JPEG, PNG, WebP, BMP, TIFF or GIF file, whatever its extension. The result
// is [Size,Size,3] in [0,1] and equals what PIL reads: JPEG with libjpeg's chroma
// upsampling and colour conversion, CMYK with PIL's conversion to RGB, and the Exif
// orientation applied as by ImageOps.exif_transpose. Transparent pixels are composited over
// white. Files that are damaged, larger than MaxPixels or of another format are an error
// that names the file.
func (t Transform) Decode(path string) ([]float32, error) {
	data, err := load(path)
	if err != nil {
		return nil, err
	}
	return t.decode(path, data)
}

// DecodeBytes is Decode for the contents of a file. The path only names it in errors.
func DecodeBytes(path string, data []byte, size int, filter string) ([]float32, error) {
	return Transform{Size: size, Filter: filter}.decode(path, data)
}

func (t Transform) decode(path string, data []byte) ([]float32, error) {
	if t.Filter == "" {
		t.Filter = "bicubic"
	}
	if !slices.Contains(Filters, t.Filter) {
		return nil, fmt.Errorf("images: %w", metamer.Unknown("filter", t.Filter, Filters))
	}
	if t.Crop == 0 {
		t.Crop = 1
	}
	if !(t.Crop > 0 && t.Crop <= 1) {
		return nil, fmt.Errorf("images: crop %v, expected a share above 0 and at most 1", t.Crop)
	}
	scale := int(float64(t.Size) / t.Crop)
	if t.Size < 1 || scale > 1<<14 {
		return nil, fmt.Errorf("images: a centre of %d² out of a side of %d, expected 1 to %d pixels", t.Size, scale, 1<<14)
	}
	r, err := read(path, data)
	if err != nil {
		return nil, err
	}
	return fit(r, scale, t.Size, t.Filter), nil
}

// WritePNG writes pixels [size,size,3] in [0,1] as a PNG with 8 bits per channel, rounded
// as by ToImage. An existing file is overwritten.
func WritePNG(path string, pixels []float32, size int) error {
	return WriteImage(path, ToImage(pixels, size))
}

// WriteImage writes an image as a PNG. An existing file is overwritten.
func WriteImage(path string, m image.Image) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	return png.Encode(f, m)
}

// ToImage converts pixels [size,size,3] in [0,1] to an image with 8 bits per channel.
// Values are rounded to the nearest level; values outside [0,1] are clipped.
func ToImage(pixels []float32, size int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, size, size))
	for i := range size * size {
		for c := range 3 {
			m.Pix[4*i+c] = level(pixels[3*i+c])
		}
		m.Pix[4*i+3] = 255
	}
	return m
}

// level is the 8-bit value of a pixel in [0,1].
func level(v float32) uint8 { return uint8(min(max(v, 0), 1)*255 + 0.5) }

// Rounded returns pixels in [0,1] as a PNG file of ToImage gives them back.
func Rounded(pixels []float32) []float32 {
	out := make([]float32, len(pixels))
	for i, v := range pixels {
		out[i] = float32(level(v)) / 255
	}
	return out
}
