package evaluate

import (
	"fmt"
	"math"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Similarities are the measures of representational similarity.
var Similarities = metamer.Similarities

// Matrix holds the similarities of all pairs of N images.
type Matrix struct {
	N      int
	Kind   string    // one of Similarities
	Values []float64 // [N,N], symmetric; NaN where one activation has none
	flawed int       // images without similarities
	why    string
}

// Matrix returns the similarities of a kind in Similarities. For "spearman" the Gram must
// be of ranks (see Ranked). Other kinds are an error.
func (g *Gram) Matrix(kind string) (*Matrix, error) {
	m := &Matrix{N: g.N, Kind: kind, Values: make([]float64, g.N*g.N)}
	of := g.Pearson
	switch kind {
	case "pearson", "spearman":
		m.why = "constant or not finite"
	case "cosine":
		of, m.why = g.Cosine, "zero or not finite"
	default:
		return nil, fmt.Errorf("evaluate: %w", metamer.Unknown("similarity", kind, Similarities))
	}
	for i := range g.N {
		for j := i; j < g.N; j++ {
			v := of(i, j)
			m.Values[i*g.N+j], m.Values[j*g.N+i] = v, v
		}
		if math.IsNaN(m.Values[i*g.N+i]) {
			m.flawed++
		}
	}
	return m, nil
}

// Pairs returns the N·(N−1)/2 similarities of images i < j, row by row. An image without
// similarities and fewer than three images are Undefined.
func (m *Matrix) Pairs() ([]float64, error) {
	if m.N < 3 {
		return nil, undefined("%d images, expected at least 3", m.N)
	}
	if m.flawed > 0 {
		return nil, undefined("the activations of %d of %d images are %s", m.flawed, m.N, m.why)
	}
	out := make([]float64, 0, m.N*(m.N-1)/2)
	for i := range m.N {
		out = append(out, m.Values[i*m.N+i+1:(i+1)*m.N]...)
	}
	return out, nil
}
