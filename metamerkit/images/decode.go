package images

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg" // decoders of image.Decode
	"image/png"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// MaxPixels is the largest image that Decode reads.
const MaxPixels = 100_000_000

// Filters names the resampling filters.
var Filters = []string{"bicubic", "bilinear"}

// IsImage reports whether a file's name ends like a JPEG's or PNG's.
func IsImage(name string) bool {
	return slices.Contains([]string{".jpg", ".jpeg", ".png"}, strings.ToLower(filepath.Ext(name)))
}

// Files lists the image files of folders, sorted by name, and files as they are.
func Files(spec ...string) ([]string, error) { return expand(spec) }

// expand lists the image files that a spec names: a folder stands for the JPEG
// and PNG files in it, sorted by name.
func expand(spec []string) (files []string, err error) {
	for _, p := range spec {
		st, err := os.Stat(p)
		if err != nil {
			return nil, fmt.Errorf("images: %w (expected %s)", err, expected())
		}
		if !st.IsDir() {
			files = append(files, p)
			continue
		}
		entries, err := os.ReadDir(p)
		if err != nil {
			return nil, fmt.Errorf("images: %w", err)
		}
		before := len(files)
		for _, e := range entries {
			if e.Type()&fs.ModeDir == 0 && IsImage(e.Name()) {
				files = append(files, filepath.Join(p, e.Name()))
			}
		}
		if len(files) == before {
			return nil, fmt.Errorf("images: the folder %s holds no .jpg, .jpeg or .png file", p)
		}
	}
	return files, nil
}

// Decode reads a JPEG or PNG file, resizes its shorter side to size with an
// antialiased filter and crops the centre, as torchvision's Resize and CenterCrop
// do with PIL images. Transparent pixels are composited over white. The result is
// [size,size,3].
func Decode(path string, size int, filter string) ([]float32, error) {
	return Transform{Size: size, Filter: filter}.Decode(path)
}

// Transform says how a file becomes the image that a model is evaluated on, as
// timm's evaluation transform does: the shorter side is resized to Size/Crop,
// rounded down, and the centre of Size² is cut out.
type Transform struct {
	Size   int     // pixels a side
	Crop   float64 // share that the cut keeps, above 0 and at most 1; 0: 1
	Filter string  // bicubic (default) | bilinear, antialiased
}

// Decode reads a JPEG or PNG file. JPEG is decoded as PIL (libjpeg) does, with its
// weighted chroma and its conversion of colours; CMYK becomes RGB as there. The
// orientation that a camera noted beside the image is not applied, as PIL's open
// and timm do not. Transparent pixels are composited over white. The result is
// [Size,Size,3].
func (t Transform) Decode(path string) ([]float32, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("images: %w", err)
	}
	defer f.Close()
	return t.decode(path, f)
}

// DecodeBytes is the function Decode for a file that is in memory; path names it in
// errors.
func DecodeBytes(path string, data []byte, size int, filter string) ([]float32, error) {
	return Transform{Size: size, Filter: filter}.decode(path, bytes.NewReader(data))
}

func (t Transform) decode(path string, f io.ReadSeeker) ([]float32, error) {
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
	r, err := read(path, f)
	if err != nil {
		return nil, err
	}
	return fit(r, scale, t.Size, t.Filter), nil
}

func read(path string, f io.ReadSeeker) (raster, error) {
	c, _, err := image.DecodeConfig(f)
	if err != nil {
		return raster{}, fmt.Errorf("images: %s is not a readable JPEG or PNG image: %w", path, err)
	}
	if c.Width < 1 || c.Height < 1 || c.Width > MaxPixels/c.Height {
		return raster{}, fmt.Errorf("images: %s has %d×%d pixels, expected at most %d", path, c.Width, c.Height, MaxPixels)
	}
	if _, err := f.Seek(0, 0); err != nil {
		return raster{}, fmt.Errorf("images: %w", err)
	}
	m, kind, err := image.Decode(f)
	if err != nil {
		return raster{}, fmt.Errorf("images: %s is damaged: %w", path, err)
	}
	if kind == "jpeg" {
		if _, err := f.Seek(0, 0); err != nil {
			return raster{}, fmt.Errorf("images: %w", err)
		}
		data, err := io.ReadAll(f)
		if err != nil {
			return raster{}, fmt.Errorf("images: %s: %w", path, err)
		}
		asLibjpeg(m, data)
	}
	return rgb(m), nil
}

// raster is 8-bit RGB.
type raster struct {
	w, h int
	pix  []uint8 // [h,w,3]
}

// rgb brings an image to 8-bit RGB: JPEG as PIL does, transparent pixels over white.
func rgb(m image.Image) raster {
	switch m := m.(type) {
	case *image.YCbCr:
		return yccToRGB(m)
	case *image.CMYK:
		return cmykToRGB(m)
	case *image.Gray:
		return grayToRGB(m)
	}
	b := m.Bounds()
	r := raster{b.Dx(), b.Dy(), make([]uint8, 0, b.Dx()*b.Dy()*3)}
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			c := color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA)
			for _, v := range [3]uint8{c.R, c.G, c.B} {
				r.pix = append(r.pix, uint8((int(v)*int(c.A)+255*(255-int(c.A))+127)/255))
			}
		}
	}
	return r
}

// WritePNG writes [size,size,3] pixels in [0,1] as an 8-bit PNG.
func WritePNG(path string, pixels []float32, size int) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	return png.Encode(f, ToImage(pixels, size))
}

// ToImage rounds [size,size,3] pixels in [0,1] to 8 bits.
func ToImage(pixels []float32, size int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, size, size))
	for i := range size * size {
		for c := range 3 {
			m.Pix[4*i+c] = uint8(min(max(pixels[3*i+c], 0), 1)*255 + 0.5)
		}
		m.Pix[4*i+3] = 255
	}
	return m
}
