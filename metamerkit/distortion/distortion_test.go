package distortion

import (
	"context"
	"math"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// network is a linear one with n pixels and m units whose singular values fall.
func network(n, m int, fall float64, seed uint64) *mat.SymDense {
	j := mat.NewDense(m, n, nil)
	for i, row := range random(n, m, seed) {
		floats.Scale(math.Pow(float64(i+1), -fall), row)
		j.SetRow(i, row)
	}
	var f mat.SymDense
	f.SymOuterK(1, j.T())
	return &f
}

func product(f *mat.SymDense) Product {
	return func(_ context.Context, directions [][]float64) (out [][]float64, err error) {
		for _, d := range directions {
			var v mat.VecDense
			v.MulVec(f, mat.NewVecDense(len(d), d))
			out = append(out, v.RawVector().Data)
		}
		return out, nil
	}
}

func options(n int) Options {
	return Options{Dimensions: n, Products: 4000, Tolerance: 1e-9, Seed: 5, Basis: 30}
}

// The extremes are those of the dense eigenproblem: of one and of three networks, with more
// units than pixels and with fewer, where the smallest eigenvalue is 0; and restarts, which
// these need, change nothing.
func TestExtremes(t *testing.T) {
	const n = 90
	for what, fs := range map[string][]*mat.SymDense{
		"one":        {network(n, 200, .3, 1)},
		"three":      {network(n, 200, .3, 1), network(n, 50, .5, 2), network(n, 120, 0, 3)},
		"null space": {network(n, 40, .5, 2)},
	} {
		var members []Product
		mean := mat.NewSymDense(n, nil)
		for _, f := range fs {
			members = append(members, product(f))
			mean.AddSym(mean, f)
		}
		mean.ScaleSym(1/float64(len(fs)), mean)
		var eigen mat.EigenSym
		eigen.Factorize(mean, false)
		want := eigen.Values(nil)
		most, least, products, err := Extremes(t.Context(), members, Both, options(n))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d products, residuals %.2g and %.2g", what, products, most.Residual, least.Residual)
		if largest := want[n-1]; math.Abs(most.Value-largest) > 1e-9*largest || math.Abs(least.Value-want[0]) > 1e-9*largest {
			t.Errorf("%s: the extreme eigenvalues are %g and %g, expected %g and %g", what, most.Value, least.Value, largest, want[0])
		}
		if most.Residual > 1e-9 || least.Residual > 1e-9 {
			t.Errorf("%s: the residuals are %g and %g", what, most.Residual, least.Residual)
		}
		for _, d := range []Direction{most, least} {
			if l := floats.Norm(d.Vector, 2); math.Abs(l-1) > 1e-12 {
				t.Errorf("%s: a direction has the length %g", what, l)
			}
		}
	}
}

// A search that runs out of products says how far it came.
func TestResidual(t *testing.T) {
	o := options(90)
	o.Products = 8
	most, least, products, err := Extremes(t.Context(), []Product{product(network(90, 200, .1, 1))}, Both, o)
	if err != nil {
		t.Fatal(err)
	}
	if products != 8 || most.Residual < 1e-3 || least.Residual < 1e-3 {
		t.Errorf("%d products, residuals %g and %g: expected 8, with large ones", products, most.Residual, least.Residual)
	}
}

// For two networks the pair is that of the dense generalised eigenproblem.
func TestPairOfTwo(t *testing.T) {
	const n = 60
	a, b := network(n, 100, .4, 1), network(n, 30, .4, 2) // b alone is singular
	floors := []float64{.1, .1}
	dense := func(f *mat.SymDense) *mat.SymDense {
		out := mat.NewSymDense(n, nil)
		out.CopySym(f)
		for i := range n {
			out.SetSym(i, i, out.At(i, i)+.1)
		}
		return out
	}
	columns, err := generalised(dense(a), dense(b))
	if err != nil {
		t.Fatal(err)
	}
	want := spread(logRatios([]*mat.SymDense{dense(a), dense(b)}, unit(mat.Col(nil, n-1, columns)), unit(mat.Col(nil, 0, columns))))
	o := options(n)
	o.Tolerance = 1e-7
	got, products, err := Separate(t.Context(), []Product{product(a), product(b)}, floors, nil, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d products, %g, expected %g", products, got.Spread, want)
	if math.Abs(got.Spread-want) > 1e-4*want {
		t.Errorf("the variance is %g, expected %g", got.Spread, want)
	}
}

// For three networks no ascent along the gradient of the paper, from eight random starts,
// gets higher.
func TestPairOfThree(t *testing.T) {
	const n = 20
	floors := []float64{.1, .1, .1}
	var members []Product
	var dense []*mat.SymDense
	for k := range floors {
		f := network(n, 25, .5, uint64(k+1))
		members = append(members, product(f))
		with := mat.NewSymDense(n, nil)
		with.CopySym(f)
		for i := range n {
			with.SetSym(i, i, with.At(i, i)+floors[k])
		}
		dense = append(dense, with)
	}
	o := options(n)
	o.Basis = 14
	o.Tolerance = 1e-7
	got, products, err := Separate(t.Context(), members, floors, nil, o)
	if err != nil {
		t.Fatal(err)
	}
	best := 0.0
	for seed := range uint64(8) {
		at := random(n, 2, seed+100)
		for range 1500 {
			at[0], at[1] = unit(at[0]), unit(at[1])
			weights := centred(logRatios(dense, at[0], at[1]))
			for h, sign := range []float64{1, -1} {
				step := make([]float64, n)
				for k, m := range dense {
					var f mat.VecDense
					f.MulVec(m, mat.NewVecDense(n, at[h]))
					floats.AddScaled(step, sign*weights[k]/quadratic(m, at[h]), f.RawVector().Data)
				}
				floats.AddScaled(at[h], .01, step)
			}
		}
		best = max(best, spread(logRatios(dense, at[0], at[1])))
	}
	if own := spread(logRatios(dense, got.First, got.Second)); math.Abs(own-got.Spread) > 1e-9*own {
		t.Errorf("the variance of the directions is %g, reported is %g", own, got.Spread)
	}
	t.Logf("%d products, %g, the paper's ascent %g", products, got.Spread, best)
	if got.Spread < best*(1-1e-3) {
		t.Errorf("the variance is %g, ascents reach %g", got.Spread, best)
	}
}
