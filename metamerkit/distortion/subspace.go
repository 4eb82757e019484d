// Package distortion finds the directions of pixels that a set of networks notices most and
// least (Berardino et al. 2017), and the pair of directions that separates the sensitivities
// of the networks best (Feather et al. 2025). It knows networks by products with their
// Fisher information matrices F, which are symmetric and have no negative eigenvalues.
// docs/distortions.md has the formulas.
package distortion

import (
	"context"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Product returns F·v for each direction v, all of one length.
type Product func(ctx context.Context, directions [][]float64) ([][]float64, error)

// Options say how long and how exactly a search goes on.
type Options struct {
	Dimensions int     // of a direction
	Products   int     // the largest number of products of each member in one search
	Tolerance  float64 // see Extremes and Pair
	Seed       uint64  // of the first directions
	Basis      int     // directions that are kept at once, at least 8
	// Step, if set, is called after each round with the number of products so far.
	Step func(products int)
}

// subspace is the span of orthonormal directions, with each member's matrix in it.
type subspace struct {
	members  []Product
	v        [][]float64   // orthonormal
	fv       [][][]float64 // of each member, F·v of each direction
	small    [][][]float64 // of each member, v·F·v of each two directions
	products int
	limit    Options
}

func newSubspace(members []Product, o Options) *subspace {
	return &subspace{members: members, fv: make([][][]float64, len(members)), small: make([][][]float64, len(members)), limit: o}
}

// random are normal directions.
func random(n, count int, seed uint64) (out [][]float64) {
	rng := rand.New(rand.NewPCG(seed, 0))
	for range count {
		v := make([]float64, n)
		for i := range v {
			v[i] = rng.NormFloat64()
		}
		out = append(out, v)
	}
	return out
}

// expand adds what is new in the directions and says how much that was: 0 ends a search.
func (s *subspace) expand(ctx context.Context, directions ...[]float64) (added int, err error) {
	from := len(s.v)
	for _, d := range directions {
		v := append([]float64{}, d...)
		length := floats.Norm(v, 2)
		if length == 0 || len(s.v) == s.limit.Dimensions {
			continue
		}
		floats.Scale(1/length, v)
		for range 3 { // the second round removes what rounding left
			for _, u := range s.v {
				floats.AddScaled(v, -floats.Dot(u, v), u)
			}
			if length = floats.Norm(v, 2); length < 1e-8 {
				break
			}
			floats.Scale(1/length, v)
		}
		if length >= 1e-8 {
			s.v = append(s.v, v)
		}
	}
	if added = len(s.v) - from; added == 0 {
		return 0, nil
	}
	for k, f := range s.members {
		fv, err := f(ctx, s.v[from:])
		if err != nil {
			return 0, err
		}
		s.fv[k] = append(s.fv[k], fv...)
		for i := from; i < len(s.v); i++ {
			row := make([]float64, i+1)
			for j := range row { // symmetric but for rounding
				row[j] = (floats.Dot(s.v[j], s.fv[k][i]) + floats.Dot(s.v[i], s.fv[k][j])) / 2
			}
			s.small[k] = append(s.small[k], row)
		}
	}
	s.products += added
	if s.limit.Step != nil {
		s.limit.Step(s.products)
	}
	return added, nil
}

// matrix is a member's matrix in the subspace.
func (s *subspace) matrix(member int) *mat.SymDense {
	out := mat.NewSymDense(len(s.v), nil)
	for i, row := range s.small[member] {
		for j, x := range row {
			out.SetSym(i, j, x)
		}
	}
	return out
}

// mean is the mean of the members' matrices in the subspace.
func (s *subspace) mean() *mat.SymDense {
	out := mat.NewSymDense(len(s.v), nil)
	for k := range s.members {
		out.AddSym(out, s.matrix(k))
	}
	out.ScaleSym(1/float64(len(s.members)), out)
	return out
}

// combine is the sum of vectors with these weights.
func combine(vectors [][]float64, weights []float64) []float64 {
	out := make([]float64, len(vectors[0]))
	for i, w := range weights {
		floats.AddScaled(out, w, vectors[i])
	}
	return out
}

// keep replaces the directions by combinations of them; the columns are orthonormal.
func (s *subspace) keep(columns *mat.Dense) {
	_, n := columns.Dims()
	turn := func(vectors [][]float64) (out [][]float64) {
		for j := range n {
			out = append(out, combine(vectors, mat.Col(nil, j, columns)))
		}
		return out
	}
	s.v = turn(s.v)
	for k := range s.members {
		s.fv[k], s.small[k] = turn(s.fv[k]), nil
		for i := range n {
			row := make([]float64, i+1)
			for j := range row {
				row[j] = (floats.Dot(s.v[j], s.fv[k][i]) + floats.Dot(s.v[i], s.fv[k][j])) / 2
			}
			s.small[k] = append(s.small[k], row)
		}
	}
}

// exhausted says whether a search has no products left.
func (s *subspace) exhausted() bool {
	return s.products >= s.limit.Products || len(s.v) == s.limit.Dimensions
}

// spread is the population variance.
func spread(x []float64) float64 {
	mean := floats.Sum(x) / float64(len(x))
	sum := 0.0
	for _, v := range x {
		sum += math.Pow(v-mean, 2)
	}
	return sum / float64(len(x))
}
