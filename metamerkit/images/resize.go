package images

import "math"

// The arithmetic is PIL's (Resample.c): weights in fixed point, one pass an axis,
// rounded to 8 bits, so that results are equal to PIL's and
// not only close, as those of golang.org/x/image/draw, which keeps 16 bits
// between the passes, would be.

// precision is the number of fraction bits of PIL's weights for 8-bit images.
const precision = 32 - 8 - 2

// fit resizes the shorter side to scale, keeping the ratio (the longer side is
// truncated as torchvision does), and crops size² out of the centre.
func fit(r raster, scale, size int, filter string) []float32 {
	w, h := scale, scale
	if r.w <= r.h {
		h = scale * r.h / r.w
	} else {
		w = scale * r.w / r.h
	}
	if r.h > 2*r.w && h < r.h { // as Pillow 13.0.0 orders its passes (measured)
		r = rows(columns(r, h, filter), w, filter)
	} else {
		r = columns(rows(r, w, filter), h, filter)
	}
	// Python rounds halves to even.
	left, top := int(math.RoundToEven(float64(w-size)/2)), int(math.RoundToEven(float64(h-size)/2))
	out := make([]float32, 0, size*size*3)
	for y := range size {
		for _, v := range r.pix[((top+y)*w+left)*3 : ((top+y)*w+left+size)*3] {
			out = append(out, float32(v)/255)
		}
	}
	return out
}

// taps are the weights of one output pixel.
type taps struct {
	first   int
	weights []int32
}

// resample computes PIL's fixed-point weights for from → to pixels.
func resample(from, to int, filter string) []taps {
	kernel, support := triangle, 1.0
	if filter == "bicubic" {
		kernel, support = catmullRom, 2.0
	}
	scale := float64(from) / float64(to)
	width := max(scale, 1)
	support *= width
	out := make([]taps, to)
	for i := range out {
		centre := (float64(i) + 0.5) * scale
		first := max(int(centre-support+0.5), 0)
		n := min(int(centre+support+0.5), from) - first
		k, sum := make([]float64, n), 0.0
		for j := range k {
			k[j] = kernel((float64(j+first) - centre + 0.5) / width)
			sum += k[j]
		}
		out[i] = taps{first, make([]int32, n)}
		for j, v := range k {
			out[i].weights[j] = int32(math.Round(v / sum * (1 << precision)))
		}
	}
	return out
}

func triangle(x float64) float64 { return max(1-math.Abs(x), 0) }

func catmullRom(x float64) float64 {
	switch x = math.Abs(x); {
	case x < 1:
		return (1.5*x-2.5)*x*x + 1
	case x < 2:
		return ((-0.5*x+2.5)*x-4)*x + 2
	}
	return 0
}

// rows resizes to w columns, columns to h rows; both round to 8 bits.
func rows(r raster, w int, filter string) raster {
	if w == r.w {
		return r
	}
	out := raster{w, r.h, make([]uint8, w*r.h*3)}
	for x, t := range resample(r.w, w, filter) {
		for y := range r.h {
			sum(out.pix[(y*w+x)*3:], r.pix[(y*r.w+t.first)*3:], t.weights, 3)
		}
	}
	return out
}

func columns(r raster, h int, filter string) raster {
	if h == r.h {
		return r
	}
	out := raster{r.w, h, make([]uint8, r.w*h*3)}
	for y, t := range resample(r.h, h, filter) {
		for x := range r.w {
			sum(out.pix[(y*r.w+x)*3:], r.pix[(t.first*r.w+x)*3:], t.weights, 3*r.w)
		}
	}
	return out
}

func sum(to, from []uint8, weights []int32, stride int) {
	for c := range 3 {
		s := int64(1) << (precision - 1)
		for i, k := range weights {
			s += int64(k) * int64(from[i*stride+c])
		}
		to[c] = uint8(min(max(s>>precision, 0), 255))
	}
}
