package distortion

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize"
)

// Pair is two directions, of length 1, and how well they separate the members.
type Pair struct {
	First, Second []float64
	// Spread is the objective: the variance over the members of log d(First)/d(Second),
	// where d(v)² = v·(F+floor)·v.
	Spread float64
	// Gain is how much the last ten products of each member raised the objective, divided
	// by it.
	Gain float64
}

// Separate returns the pair of directions that maximises Spread: the principal distortions
// of Feather et al. 2025. floors, one a member, are added to the diagonals of the matrices
// and bound the objective where a matrix has eigenvalues of 0. For two members these are the
// extreme generalised eigenvectors, for more what the ascents from those of each two
// members reach. The search is in a subspace that grows by the gradients; it ends when Gain
// is below the tolerance, or with its products.
func Separate(ctx context.Context, members []Product, floors []float64, start [][]float64, o Options) (best Pair, products int, err error) {
	if len(members) < 2 || len(floors) != len(members) {
		return best, 0, fmt.Errorf("distortion: %d members with %d floors, expected at least two, with a floor each", len(members), len(floors))
	}
	s := newSubspace(members, o)
	next := append(append([][]float64{}, start...), random(o.Dimensions, 2, o.Seed)...)
	var history []float64 // of the objective, by products
	var first, second []float64
	for {
		added, err := s.expand(ctx, next...)
		if err != nil {
			return best, s.products, err
		}
		small := make([]*mat.SymDense, len(members))
		for k := range small {
			small[k] = s.matrix(k)
			for i := range s.v {
				small[k].SetSym(i, i, small[k].At(i, i)+floors[k])
			}
		}
		value := 0.0
		if first, second, value, err = separateSmall(small, first, second); err != nil {
			return best, s.products, err
		}
		for len(history) < s.products {
			history = append(history, value)
		}
		best = Pair{First: combine(s.v, first), Second: combine(s.v, second), Spread: value, Gain: 1}
		if n := len(history); n > 10 && value > 0 {
			best.Gain = (value - history[n-11]) / value
		}
		if best.Gain <= o.Tolerance || added == 0 || s.exhausted() {
			if len(s.v) == o.Dimensions {
				best.Gain = 0
			}
			return best, s.products, nil
		}
		next = s.slopes(small, floors, first, second)
		if len(s.v)+2 > o.Basis {
			first, second = s.restart(small, first, second)
		}
	}
}

// slopes are the gradients of the objective by the two directions.
func (s *subspace) slopes(small []*mat.SymDense, floors, first, second []float64) [][]float64 {
	weights := centred(logRatios(small, first, second))
	var out [][]float64
	for _, at := range [][]float64{first, second} {
		slope := make([]float64, s.limit.Dimensions)
		v := combine(s.v, at)
		for k := range s.members {
			f := combine(s.fv[k], at)
			floats.AddScaled(f, floors[k], v)
			floats.AddScaled(slope, weights[k]/quadratic(small[k], at), f)
		}
		out = append(out, slope)
	}
	return out
}

// restart keeps the two directions and those that the generalised eigenvectors of each
// member against the others span, and returns the two in the new subspace.
func (s *subspace) restart(small []*mat.SymDense, first, second []float64) (f, g []float64) {
	n := len(s.v)
	wanted := [][]float64{first, second}
	each := max(1, (s.limit.Basis/2-2)/(2*len(small)))
	for k := range small {
		rest := mat.NewSymDense(n, nil)
		for j := range small {
			if j != k {
				rest.AddSym(rest, small[j])
			}
		}
		columns, err := generalised(small[k], rest)
		if err != nil {
			continue
		}
		for i := range min(each, n/2) {
			wanted = append(wanted, mat.Col(nil, i, columns), mat.Col(nil, n-1-i, columns))
		}
	}
	var kept [][]float64
	for _, w := range wanted {
		v := append([]float64{}, w...)
		floats.Scale(1/floats.Norm(v, 2), v)
		for range 2 {
			for _, u := range kept {
				floats.AddScaled(v, -floats.Dot(u, v), u)
			}
		}
		if length := floats.Norm(v, 2); length > 1e-6 {
			floats.Scale(1/length, v)
			kept = append(kept, v)
		}
	}
	columns := mat.NewDense(n, len(kept), nil)
	for j, v := range kept {
		columns.SetCol(j, v)
		f, g = append(f, floats.Dot(v, first)), append(g, floats.Dot(v, second))
	}
	s.keep(columns)
	return f, g
}

// separateSmall maximises the objective of small matrices, from a start, if there is one,
// and from the generalised eigenvectors of each two matrices.
func separateSmall(small []*mat.SymDense, first, second []float64) (a, b []float64, value float64, err error) {
	n := small[0].SymmetricDim()
	var starts [][2][]float64
	if first != nil {
		pad := func(v []float64) []float64 { return append(append([]float64{}, v...), make([]float64, n-len(v))...) }
		starts = append(starts, [2][]float64{pad(first), pad(second)})
	}
	for i := range small {
		for j := range i {
			columns, err := generalised(small[i], small[j])
			if err != nil {
				return nil, nil, 0, err
			}
			starts = append(starts, [2][]float64{mat.Col(nil, n-1, columns), mat.Col(nil, 0, columns)})
		}
	}
	value = -1
	for _, st := range starts {
		x := append(append([]float64{}, st[0]...), st[1]...)
		if len(small) > 2 {
			x = climb(small, x)
		}
		p, q := unit(x[:n]), unit(x[n:])
		if v := spread(logRatios(small, p, q)); v > value {
			a, b, value = p, q, v
		}
	}
	return a, b, value, nil
}

// climb ascends from a start, both directions one after the other; lengths do not matter.
func climb(small []*mat.SymDense, x []float64) []float64 {
	n := len(x) / 2
	p := optimize.Problem{
		Func: func(x []float64) float64 { return -spread(logRatios(small, x[:n], x[n:])) },
		Grad: func(to, x []float64) {
			weights := centred(logRatios(small, x[:n], x[n:]))
			floats.Scale(0, to)
			for k, m := range small {
				for h, sign := range []float64{1, -1} {
					at := x[h*n : h*n+n]
					var f mat.VecDense
					f.MulVec(m, mat.NewVecDense(n, at))
					floats.AddScaled(to[h*n:h*n+n], -2*sign*weights[k]/float64(len(small))/quadratic(m, at), f.RawVector().Data)
				}
			}
		},
	}
	r, err := optimize.Minimize(p, x, &optimize.Settings{MajorIterations: 100, GradientThreshold: 1e-9}, &optimize.LBFGS{})
	if r == nil || err != nil && r.F > p.Func(x) {
		return x
	}
	return r.X
}

// generalised are the eigenvectors of a·v = λ·b·v, the smallest λ first, each of any length.
func generalised(a, b *mat.SymDense) (*mat.Dense, error) {
	var chol mat.Cholesky
	if !chol.Factorize(b) {
		return nil, fmt.Errorf("distortion: a matrix with its floor is not positive definite: the floor is below the rounding of the products, expected a larger one")
	}
	var l mat.TriDense
	chol.LTo(&l)
	var half, whole mat.Dense
	if err := half.Solve(&l, a); err != nil {
		return nil, fmt.Errorf("distortion: %w", err)
	}
	if err := whole.Solve(&l, half.T()); err != nil {
		return nil, fmt.Errorf("distortion: %w", err)
	}
	n := a.SymmetricDim()
	sym := mat.NewSymDense(n, nil)
	for i := range n {
		for j := range i + 1 {
			sym.SetSym(i, j, (whole.At(i, j)+whole.At(j, i))/2)
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(sym, true) {
		return nil, fmt.Errorf("distortion: the generalised eigenvalues of %d directions were not found", n)
	}
	var w, out mat.Dense
	eigen.VectorsTo(&w)
	if err := out.Solve(l.T(), &w); err != nil {
		return nil, fmt.Errorf("distortion: %w", err)
	}
	return &out, nil
}

// logRatios are log d(a)/d(b) of each matrix.
func logRatios(small []*mat.SymDense, a, b []float64) (out []float64) {
	for _, m := range small {
		out = append(out, math.Log(quadratic(m, a)/quadratic(m, b))/2)
	}
	return out
}

func quadratic(m *mat.SymDense, v []float64) float64 {
	x := mat.NewVecDense(len(v), v)
	return mat.Inner(x, m, x)
}

func centred(x []float64) []float64 {
	out := append([]float64{}, x...)
	floats.AddConst(-floats.Sum(x)/float64(len(x)), out)
	return out
}

func unit(v []float64) []float64 {
	out := append([]float64{}, v...)
	floats.Scale(1/floats.Norm(out, 2), out)
	return out
}
