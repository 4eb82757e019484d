package images

import "image"

// Go's image/jpeg gives the planes of luma and chroma; how chroma is brought to full
// size and how colours are made of them is left to whoever reads it. Here both are
// libjpeg's (jdsample.c, jdcolor.c), as in PIL: "fancy" upsampling weighs a sample's
// neighbours 3:1 (a triangle filter, exact in integers), where Go's own conversion
// repeats samples.

// yccToRGB converts planes to 8-bit RGB.
func yccToRGB(m *image.YCbCr) raster {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	ratio := [2]int{1, 1}
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio422:
		ratio = [2]int{2, 1}
	case image.YCbCrSubsampleRatio420:
		ratio = [2]int{2, 2}
	case image.YCbCrSubsampleRatio440:
		ratio = [2]int{1, 2}
	case image.YCbCrSubsampleRatio411:
		ratio = [2]int{4, 1}
	case image.YCbCrSubsampleRatio410:
		ratio = [2]int{4, 2}
	}
	cw, ch := (w+ratio[0]-1)/ratio[0], (h+ratio[1]-1)/ratio[1]
	at := m.COffset(m.Rect.Min.X, m.Rect.Min.Y)
	cb, cr := newChroma(m.Cb[at:], m.CStride, cw, ch, ratio), newChroma(m.Cr[at:], m.CStride, cw, ch, ratio)
	out := raster{w, h, make([]uint8, 0, w*h*3)}
	blue, red := make([]uint8, cw*ratio[0]), make([]uint8, cw*ratio[0])
	for y := range h {
		cb.row(y, blue)
		cr.row(y, red)
		luma := m.Y[m.YOffset(m.Rect.Min.X, m.Rect.Min.Y+y):][:w]
		for x, l := range luma {
			r, g, b := colour(l, blue[x], red[x])
			out.pix = append(out.pix, r, g, b)
		}
	}
	return out
}

// colour is the conversion of JFIF in fixed point with 16 bits (jdcolor.c).
func colour(luma, blue, red uint8) (r, g, b uint8) {
	const half = 1 << 15
	l, u, v := int32(luma), int32(blue)-128, int32(red)-128
	return clamp(l + (91881*v+half)>>16), clamp(l + (-22554*u-46802*v+half)>>16), clamp(l + (116130*u+half)>>16)
}

func clamp(v int32) uint8 { return uint8(min(max(v, 0), 255)) }

// chroma is a plane of a colour that is brought to full size row by row.
type chroma struct {
	pix          []uint8
	stride, w, h int
	ratio        [2]int
	sums         []int32 // of a row and its neighbour, 3:1
}

func newChroma(pix []uint8, stride, w, h int, ratio [2]int) *chroma {
	return &chroma{pix, stride, w, h, ratio, make([]int32, w)}
}

func (c *chroma) line(y int) []uint8 { return c.pix[min(max(y, 0), c.h-1)*c.stride:][:c.w] }

// row writes row y of the full size, a multiple of ratio[0] samples.
func (c *chroma) row(y int, out []uint8) {
	near := c.line(y / c.ratio[1])
	next := c.line(y/c.ratio[1] + 2*(y%c.ratio[1]) - 1) // the neighbour that row y is nearer to
	switch c.ratio {
	case [2]int{1, 1}:
		copy(out, near)
	case [2]int{1, 2}:
		for x := range near {
			out[x] = uint8((3*int32(near[x]) + int32(next[x]) + 1 + int32(y%2)) >> 2)
		}
	case [2]int{2, 1}:
		if c.w <= 2 {
			repeat(near, out, 2)
			return
		}
		for x, v := range near {
			c.sums[x] = int32(v)
		}
		spread(c.sums, out, 1, 2, 2)
	case [2]int{2, 2}:
		if c.w <= 2 {
			repeat(near, out, 2)
			return
		}
		for x := range near {
			c.sums[x] = 3*int32(near[x]) + int32(next[x])
		}
		spread(c.sums, out, 8, 7, 4)
	default: // libjpeg repeats samples here too
		repeat(near, out, c.ratio[0])
	}
}

// spread doubles a row with weights 3:1; left and right are what is added before
// shifting, so that roundings alternate. The outermost samples have no neighbour.
func spread(in []int32, out []uint8, left, right int32, shift uint) {
	n := len(in)
	for x, v := range in {
		before, after := in[max(x-1, 0)], in[min(x+1, n-1)]
		out[2*x] = uint8((3*v + before + left) >> shift)
		out[2*x+1] = uint8((3*v + after + right) >> shift)
	}
}

func repeat(in, out []uint8, n int) {
	for x, v := range in {
		for i := range n {
			out[n*x+i] = v
		}
	}
}

// cmykToRGB multiplies ink and black as PIL does (Convert.c), rounding to the
// nearest.
func cmykToRGB(m *image.CMYK) raster {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	out := raster{w, h, make([]uint8, 0, w*h*3)}
	for y := range h {
		line := m.Pix[m.PixOffset(m.Rect.Min.X, m.Rect.Min.Y+y):][:4*w]
		for x := range w {
			white := 255 - int32(line[4*x+3])
			for _, ink := range line[4*x : 4*x+3] {
				t := int32(ink)*white + 128
				out.pix = append(out.pix, clamp(white-(t>>8+t)>>8))
			}
		}
	}
	return out
}

// grayToRGB repeats the value.
func grayToRGB(m *image.Gray) raster {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	out := raster{w, h, make([]uint8, 0, w*h*3)}
	for y := range h {
		for _, v := range m.Pix[m.PixOffset(m.Rect.Min.X, m.Rect.Min.Y+y):][:w] {
			out.pix = append(out.pix, v, v, v)
		}
	}
	return out
}
