package engine

import (
	"math"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// traceBits is a trace with its losses as bits.
type traceBits struct {
	Step, Member, Image []int
	Loss                [][]uint32
}

func pack(t metamer.Trace) traceBits {
	b := traceBits{Step: t.Step, Member: t.Member, Image: t.Image}
	for _, row := range t.Loss {
		u := make([]uint32, len(row))
		for i, v := range row {
			u[i] = math.Float32bits(v)
		}
		b.Loss = append(b.Loss, u)
	}
	return b
}

func (b traceBits) unpack() metamer.Trace {
	t := metamer.Trace{Step: b.Step, Member: b.Member, Image: b.Image}
	for _, u := range b.Loss {
		row := make([]float32, len(u))
		for i, v := range u {
			row[i] = math.Float32frombits(v)
		}
		t.Loss = append(t.Loss, row)
	}
	return t
}

func bits(v []float64) []uint64 {
	out := make([]uint64, len(v))
	for i, f := range v {
		out[i] = math.Float64bits(f)
	}
	return out
}

func floats(v []uint64) []float64 {
	out := make([]float64, len(v))
	for i, b := range v {
		out[i] = math.Float64frombits(b)
	}
	return out
}
