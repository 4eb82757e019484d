package distortion

import (
	"context"
	"fmt"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Direction is a direction of pixels, of length 1, that is nearly an eigenvector.
type Direction struct {
	Vector   []float64
	Value    float64 // v·F·v with the mean F of the members
	Residual float64 // ‖Fv − λv‖, divided by the largest eigenvalue: an eigenvalue is this near
}

// Which says which ends of the spectrum Extremes waits for.
type Which int

// The ends.
const (
	Both Which = iota
	Most
)

// Extremes returns the directions that the mean of the members' matrices F maps to the
// longest and the shortest vectors: its extreme eigenvectors. A search ends when the
// residuals of the wanted ones are below the tolerance, or with its products; then the
// residuals say how far it came. It is a block Lanczos method with full
// orthogonalisation and thick restarts, which keeps the products with each direction, so
// that residuals are computed and not estimated.
func Extremes(ctx context.Context, members []Product, which Which, o Options) (most, least Direction, products int, err error) {
	s := newSubspace(members, o)
	next := random(o.Dimensions, 2, o.Seed)
	for {
		added, err := s.expand(ctx, next...)
		if err != nil {
			return most, least, s.products, err
		}
		var eigen mat.EigenSym
		if !eigen.Factorize(s.mean(), true) {
			return most, least, s.products, fmt.Errorf("distortion: the eigenvalues of %d directions were not found: the products are not finite", len(s.v))
		}
		var columns mat.Dense
		eigen.VectorsTo(&columns)
		values := eigen.Values(nil)
		n := len(values)
		var up, down []float64
		most, up = s.ritz(mat.Col(nil, n-1, &columns), values[n-1])
		least, down = s.ritz(mat.Col(nil, 0, &columns), values[0])
		if largest := most.Value; largest > 0 {
			most.Residual /= largest
			least.Residual /= largest
		}
		next = nil
		if most.Residual > o.Tolerance {
			next = append(next, up)
		}
		if which == Both && least.Residual > o.Tolerance {
			next = append(next, down)
		}
		if len(next) == 0 || added == 0 || s.exhausted() {
			return most, least, s.products, nil
		}
		if n+2 > o.Basis { // the ends, more of the lower one, which converges later
			var ends mat.Dense
			low, high := o.Basis/3, o.Basis/6
			ends.Augment(columns.Slice(0, n, 0, low), columns.Slice(0, n, n-high, n))
			s.keep(&ends)
		}
	}
}

// ritz is an eigenvector of the subspace as a direction, with its residual, not yet divided.
func (s *subspace) ritz(column []float64, value float64) (Direction, []float64) {
	v := combine(s.v, column)
	residual := make([]float64, len(v))
	for k := range s.members {
		floats.AddScaled(residual, 1/float64(len(s.members)), combine(s.fv[k], column))
	}
	floats.AddScaled(residual, -value, v)
	return Direction{Vector: v, Value: value, Residual: floats.Norm(residual, 2)}, residual
}
