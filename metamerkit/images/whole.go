package images

// Whole reads an image file without resizing. The pixels are [h,w,3] in [0,1]. See
// Transform.Decode for the file formats.
func Whole(path string) (pixels []float32, h, w int, err error) {
	data, err := load(path)
	if err != nil {
		return nil, 0, 0, err
	}
	r, err := read(path, data)
	if err != nil {
		return nil, 0, 0, err
	}
	pixels = make([]float32, len(r.pix))
	for i, v := range r.pix {
		pixels[i] = float32(v) / 255
	}
	return pixels, r.h, r.w, nil
}
