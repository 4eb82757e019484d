package weights

import (
	"encoding/binary"
	"fmt"
	"math"
)

// width is the number of bytes of an element, by safetensors' type names, of the types that
// are read.
var width = map[string]int{
	"F64": 8, "F32": 4, "F16": 2, "BF16": 2,
	"I64": 8, "I32": 4, "I16": 2, "I8": 1, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1,
}

func isFloat(dtype string) bool {
	switch dtype {
	case "F64", "F32", "F16", "BF16":
		return true
	}
	return false
}

// readable says whether elements of a type are read. A tensor of another type, such as
// F8_E4M3 or C64, is listed with its shape, and loading it is an error.
func readable(dtype string) bool { return width[dtype] > 0 }

// product is elements for a shape known to be sound.
func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// elements returns the product of the dimensions, or an error when there are too
// many, one is negative, or the product is larger than limit.
func elements(shape []int, limit int) (int, error) {
	if len(shape) > maxRank {
		return 0, fmt.Errorf("a shape has %d dimensions, more than %d", len(shape), maxRank)
	}
	n := 1
	for _, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("the shape %v has a negative dimension", shape)
		}
		if d > 0 && n > limit/d {
			return 0, fmt.Errorf("the shape %v has more than %d elements, the most that there can be", shape, limit)
		}
		n *= d
	}
	return n, nil
}

// floats decodes little-endian elements of a float type, all of raw.
func floats(dtype string, raw []byte, out []float32) {
	le := binary.LittleEndian
	switch dtype {
	case "F64":
		for i := range len(raw) / 8 {
			out[i] = float32(math.Float64frombits(le.Uint64(raw[8*i:])))
		}
	case "F32":
		for i := range len(raw) / 4 {
			out[i] = math.Float32frombits(le.Uint32(raw[4*i:]))
		}
	case "F16":
		for i := range len(raw) / 2 {
			out[i] = half(le.Uint16(raw[2*i:]))
		}
	case "BF16":
		for i := range len(raw) / 2 {
			out[i] = math.Float32frombits(uint32(le.Uint16(raw[2*i:])) << 16)
		}
	default:
		panic("weights: " + dtype + " is no float type")
	}
}

// integers decodes little-endian elements of an integer type, all of raw.
func integers(dtype string, raw []byte, out []int64) {
	w, le := width[dtype], binary.LittleEndian
	for i := range len(raw) / w {
		b := raw[w*i:]
		switch dtype {
		case "I64":
			out[i] = int64(le.Uint64(b))
		case "I32":
			out[i] = int64(int32(le.Uint32(b)))
		case "U32":
			out[i] = int64(le.Uint32(b))
		case "U16":
			out[i] = int64(le.Uint16(b))
		case "I16":
			out[i] = int64(int16(le.Uint16(b)))
		case "I8":
			out[i] = int64(int8(b[0]))
		case "U8", "BOOL":
			out[i] = int64(b[0])
		default:
			panic("weights: unknown type " + dtype)
		}
	}
}

// half is IEEE 754 binary16.
func half(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10)&31, uint32(h)&1023
	switch exp {
	case 0:
		v := float32(frac) / (1 << 24)
		if sign != 0 {
			v = -v
		}
		return v
	case 31:
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// toHalf rounds to IEEE 754 binary16, halfway cases to the even one.
func toHalf(v float32) uint16 {
	b := math.Float32bits(v)
	sign, rest := uint16(b>>16)&0x8000, b&0x7fffffff
	switch {
	case rest > 0x7f800000: // NaN
		return sign | 0x7e00
	case rest >= 0x477ff000: // 65520 and more
		return sign | 0x7c00
	case rest >= 0x38800000: // normal: at least 2^-14
		rest += 0xfff + rest>>13&1
		return sign | uint16((rest-0x38000000)>>13)
	}
	return sign | uint16(math.RoundToEven(float64(math.Float32frombits(rest))*(1<<24)))
}

func halves(v []float32) []uint16 {
	out := make([]uint16, len(v))
	for i, f := range v {
		out[i] = toHalf(f)
	}
	return out
}

// RoundHalf returns the values as WriteHalf keeps them.
func RoundHalf(v []float32) []float32 {
	out := make([]float32, len(v))
	for i, f := range v {
		out[i] = half(toHalf(f))
	}
	return out
}
