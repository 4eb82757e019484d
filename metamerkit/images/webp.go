package images

import (
	"bytes"
	"errors"
	"image"

	"golang.org/x/image/webp"
)

// decodeWebP reads a WebP file. golang.org/x/image decodes the planes of lossy files;
// chroma is brought to full size and colours are made of it as libwebp does
// (dsp/upsampling.c, dsp/yuv.h), whose luma goes from 16 to 235.
func decodeWebP(data []byte) (raster, error) {
	if len(data) > 20 && string(data[12:16]) == "VP8X" && data[20]&2 != 0 {
		return raster{}, errors.New("it is animated, expected a single picture")
	}
	m, err := webp.Decode(bytes.NewReader(data))
	if err != nil {
		return raster{}, err
	}
	switch m := m.(type) {
	case *image.YCbCr:
		return webpColours(m, nil, 0), nil
	case *image.NYCbCrA:
		return webpColours(&m.YCbCr, m.A, m.AStride), nil
	}
	return rgb(m), nil
}

func webpColours(m *image.YCbCr, alpha []uint8, alphaStride int) raster {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	out := raster{w, h, make([]uint8, 0, 3*w*h)}
	for y := range h {
		// near is the row of chroma that y lies in, next the one that it is nearer to.
		near := y / 2
		next := near + 2*(y%2) - 1
		if next < 0 || next > (h-1)/2 {
			next = near
		}
		for x := range w {
			u := webpChroma(m.Cb[near*m.CStride:], m.Cb[next*m.CStride:], x, w)
			v := webpChroma(m.Cr[near*m.CStride:], m.Cr[next*m.CStride:], x, w)
			l := int(m.Y[y*m.YStride+x]) * 19077 >> 8
			colour := [3]int{l + v*26149>>8 - 14234, l - u*6419>>8 - v*13320>>8 + 8708, l + u*33050>>8 - 17685}
			for _, c := range colour {
				s := uint8(min(max(c, 0)>>6, 255))
				if alpha != nil {
					s = overWhite(s, alpha[y*alphaStride+x])
				}
				out.pix = append(out.pix, s)
			}
		}
	}
	return out
}

// webpChroma weighs the four samples about column x 9:3:3:1, with libwebp's roundings.
func webpChroma(near, next []uint8, x, w int) int {
	i := x / 2
	j := i + 2*(x%2) - 1
	a, b := int(near[i]), int(next[i])
	if j < 0 || j > (w-1)/2 {
		return (3*a + b + 2) >> 2
	}
	c, d := int(near[j]), int(next[j])
	return ((a+b+c+d+8+2*(b+c))>>3 + a) >> 1
}
