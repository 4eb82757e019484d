package images

import (
	"encoding/binary"
	"image"
	"math"
)

// Two JPEG decoders round the inverse cosine transform differently, a level here and
// there. To have libjpeg's roundings, the planes that image/jpeg gives are taken back
// to quantised coefficients, which the rounding to 8 bits leaves readable, and those
// through libjpeg's integer transform (jidctint.c). Where that would move a sample by
// more than a level, the block stays as it is; so the worst that can happen is a
// level, in blocks that were clamped at black or white and read wrongly.

// quantisation returns the tables of a JPEG file's components in natural order, nil
// where they cannot be told.
func quantisation(data []byte) (tables [3]*[64]float64) {
	var all [4]*[64]float64
	for at := 2; at+4 <= len(data) && data[at] == 0xff; {
		marker := data[at+1]
		if marker == 0xff || marker == 0x01 || marker >= 0xd0 && marker <= 0xd8 { // filling, and markers without a body
			at++
			if marker != 0xff {
				at++
			}
			continue
		}
		n := int(binary.BigEndian.Uint16(data[at+2:]))
		if n < 2 || at+2+n > len(data) {
			break
		}
		body := data[at+4 : at+2+n]
		switch marker {
		case 0xdb: // quantisation tables
			for len(body) > 0 {
				wide, id := body[0]>>4, body[0]&15
				size := 64 * (1 + int(wide&1))
				if wide > 1 || id > 3 || len(body) < 1+size {
					return [3]*[64]float64{}
				}
				t := new([64]float64)
				for i := range t {
					if wide == 0 {
						t[zigzag[i]] = float64(body[1+i])
					} else {
						t[zigzag[i]] = float64(binary.BigEndian.Uint16(body[1+2*i:]))
					}
				}
				all[id], body = t, body[1+size:]
			}
		case 0xc0, 0xc1, 0xc2: // frame: precision, height, width, components
			if len(body) < 6 || body[0] != 8 || int(body[5]) > 3 || len(body) < 6+3*int(body[5]) {
				return [3]*[64]float64{}
			}
			for c := range int(body[5]) {
				if id := body[6+3*c+2]; id < 4 {
					tables[c] = all[id]
				}
			}
		case 0xda: // the scan: a table behind it would be for another
			return tables
		}
		at += 2 + n
	}
	return [3]*[64]float64{}
}

// zigzag is the order of coefficients in the file (ITU T.81, figure A.6).
var zigzag = func() (order [64]int) {
	x, y := 0, 0
	for i := range order {
		order[i] = 8*y + x
		switch up := (x+y)%2 == 0; {
		case up && x == 7, !up && y != 7 && x == 0:
			y++
		case up && y == 0, !up && y == 7:
			x++
		case up:
			x, y = x+1, y-1
		default:
			x, y = x-1, y+1
		}
	}
	return order
}()

// asLibjpeg rounds the planes of a decoded file as libjpeg does.
func asLibjpeg(m image.Image, data []byte) {
	t := quantisation(data)
	switch m := m.(type) {
	case *image.Gray:
		roundPlane(m.Pix, m.Stride, t[0])
	case *image.YCbCr:
		roundPlane(m.Y, m.YStride, t[0])
		roundPlane(m.Cb, m.CStride, t[1])
		roundPlane(m.Cr, m.CStride, t[2])
	}
}

// roundPlane goes over the whole blocks of a plane that begins with one.
func roundPlane(pix []uint8, stride int, table *[64]float64) {
	if table == nil || stride < 8 {
		return
	}
	for _, q := range table {
		if q == 0 {
			return
		}
	}
	for y := 0; (y+8)*stride <= len(pix); y += 8 {
		for x := 0; x+8 <= stride; x += 8 {
			roundBlock(pix[y*stride+x:], stride, table)
		}
	}
}

// cosine[k][n] is the transform's matrix.
var cosine = func() (c [8][8]float64) {
	for k := range c {
		scale := 0.5
		if k == 0 {
			scale = math.Sqrt(0.125)
		}
		for n := range c[k] {
			c[k][n] = scale * math.Cos(float64(2*n+1)*float64(k)*math.Pi/16)
		}
	}
	return c
}()

func roundBlock(pix []uint8, stride int, table *[64]float64) {
	var rows [64]float64 // transformed along x
	for y := range 8 {
		line := pix[y*stride:][:8]
		for k := range 8 {
			s := 0.0
			for x, v := range line {
				s += cosine[k][x] * (float64(v) - 128)
			}
			rows[8*y+k] = s
		}
	}
	var in [64]int32
	for k := range 8 {
		for x := range 8 {
			s := 0.0
			for y := range 8 {
				s += cosine[k][y] * rows[8*y+x]
			}
			q := table[8*k+x]
			in[8*k+x] = int32(math.Round(s/q) * q)
		}
	}
	out := islow(&in)
	for i, v := range out {
		if d := int(v) - int(pix[i/8*stride+i%8]); d < -1 || d > 1 {
			return
		}
	}
	for y := range 8 {
		copy(pix[y*stride:][:8], out[8*y:8*y+8])
	}
}

// islow is the inverse transform in 13 bits of fraction, of Loeffler, Ligtenberg and
// Moschytz 1989, with libjpeg's two roundings.
func islow(in *[64]int32) (out [64]uint8) {
	var ws [64]int32
	for x := range 8 {
		for i, v := range line8([8]int32{in[x], in[8+x], in[16+x], in[24+x], in[32+x], in[40+x], in[48+x], in[56+x]}) {
			ws[8*i+x] = (v + 1<<10) >> 11
		}
	}
	for y := range 8 {
		for i, v := range line8([8]int32(ws[8*y : 8*y+8])) {
			out[8*y+i] = clamp((v+1<<17)>>18 + 128)
		}
	}
	return out
}

// line8 is the transform of eight values, scaled by 2^13.
func line8(v [8]int32) [8]int32 {
	z := (v[2] + v[6]) * 4433
	a, b := z-v[6]*15137, z+v[2]*6270
	c, d := (v[0]+v[4])<<13, (v[0]-v[4])<<13
	even := [4]int32{c + b, d + a, d - a, c - b}
	z1, z2, z3, z4 := v[7]+v[1], v[5]+v[3], v[7]+v[3], v[5]+v[1]
	z5 := (z3 + z4) * 9633
	z1, z2, z3, z4 = -z1*7373, -z2*20995, z5-z3*16069, z5-z4*3196
	odd := [4]int32{v[1]*12299 + z1 + z4, v[3]*25172 + z2 + z3, v[5]*16819 + z2 + z4, v[7]*2446 + z1 + z3}
	var out [8]int32
	for i := range 4 {
		out[i], out[7-i] = even[i]+odd[i], even[i]-odd[i]
	}
	return out
}
