package images

import (
	"fmt"
	"os"
)

// Whole reads a JPEG or PNG file at its own size: pixels [h,w,3] in [0,1].
// Transparent pixels are composited over white.
func Whole(path string) (pixels []float32, h, w int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, 0, fmt.Errorf("images: %w", err)
	}
	defer f.Close()
	r, err := read(path, f)
	if err != nil {
		return nil, 0, 0, err
	}
	pixels = make([]float32, len(r.pix))
	for i, v := range r.pix {
		pixels[i] = float32(v) / 255
	}
	return pixels, r.h, r.w, nil
}
