package images

// islow is libjpeg's integer inverse cosine transform (jidctint.c), so that samples
// agree to the level with PIL's. It has 13 bits of fraction, follows Loeffler,
// Ligtenberg and Moschytz 1989, and rounds twice.
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
