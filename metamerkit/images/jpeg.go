package images

// How chroma is brought to full size and how colours are made of the planes is
// libjpeg's (jdsample.c, jdcolor.c), as in PIL: "fancy" upsampling weighs a sample's
// neighbours 3:1 (a triangle filter, exact in integers).

// colours makes 8-bit RGB of the planes. Which colours they hold is told as libjpeg
// does (jdapimin.c); CMYK is taken as inverted, as PIL does with and without Adobe's
// marker.
func (f *jpegFile) colours() raster {
	n := len(f.components)
	planes, rows := make([]*plane, n), make([][]uint8, n)
	for i := range f.components {
		c := &f.components[i]
		ratio := [2]int{f.maxH / c.h, f.maxV / c.v}
		w, h := over(f.w*c.h, f.maxH), over(f.h*c.v, f.maxV)
		planes[i], rows[i] = newPlane(c.pix, 8*c.across, w, h, ratio), make([]uint8, w*ratio[0])
	}
	ycc := f.isYCC()
	out := raster{f.w, f.h, make([]uint8, 0, f.w*f.h*3)}
	for y := range f.h {
		for i, p := range planes {
			p.row(y, rows[i])
		}
		for x := range f.w {
			r := rows[0][x]
			if n == 1 {
				out.pix = append(out.pix, r, r, r)
				continue
			}
			g, b := rows[1][x], rows[2][x]
			if ycc {
				r, g, b = colour(r, g, b)
			}
			if n == 4 {
				if !ycc { // of YCCK, libjpeg has inverted the colours already
					r, g, b = 255-r, 255-g, 255-b
				}
				r, g, b = inks(r, g, b, 255-rows[3][x])
			}
			out.pix = append(out.pix, r, g, b)
		}
	}
	return out
}

// isYCC reports whether the first three components are luma and chroma.
func (f *jpegFile) isYCC() bool {
	c := f.components
	switch {
	case len(c) == 4:
		return f.adobe > 0
	case len(c) < 3:
		return false
	case f.jfif:
		return true
	case f.adobe >= 0:
		return f.adobe != 0
	}
	return c[0].id != 'R' || c[1].id != 'G' || c[2].id != 'B'
}

// colour is the conversion of JFIF in fixed point with 16 bits (jdcolor.c).
func colour(luma, blue, red uint8) (r, g, b uint8) {
	const half = 1 << 15
	l, u, v := int32(luma), int32(blue)-128, int32(red)-128
	return clamp(l + (91881*v+half)>>16), clamp(l + (-22554*u-46802*v+half)>>16), clamp(l + (116130*u+half)>>16)
}

func clamp(v int32) uint8 { return uint8(min(max(v, 0), 255)) }

// plane is a component that is brought to full size row by row.
type plane struct {
	pix          []uint8
	stride, w, h int
	ratio        [2]int
	sums         []int32 // of a row and its neighbour, 3:1
}

func newPlane(pix []uint8, stride, w, h int, ratio [2]int) *plane {
	return &plane{pix, stride, w, h, ratio, make([]int32, w)}
}

func (c *plane) line(y int) []uint8 { return c.pix[min(max(y, 0), c.h-1)*c.stride:][:c.w] }

// row writes row y of the full size, a multiple of ratio[0] samples.
func (c *plane) row(y int, out []uint8) {
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

// inks multiplies ink and black as PIL does (Convert.c), rounding to the nearest.
func inks(cyan, magenta, yellow, black uint8) (r, g, b uint8) {
	white := 255 - int32(black)
	light := func(ink uint8) uint8 {
		t := int32(ink)*white + 128
		return clamp(white - (t>>8+t)>>8)
	}
	return light(cyan), light(magenta), light(yellow)
}
