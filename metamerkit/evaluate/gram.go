package evaluate

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// Gram holds the inner products of the activations of N images. All measures of
// representational similarity are computed from it.
type Gram struct {
	N, Dim  int
	centred []float64 // [N,N]: Σₖ (xᵢₖ − mᵢ)(xⱼₖ − mⱼ)
	mean    []float64 // [N]
	flaw    []flaw    // [N]
}

// flaw says what is wrong with an activation.
type flaw uint8

const (
	flat     flaw = 1 + iota // all its values are equal: no correlation
	infinite                 // a value is NaN or infinite
)

// blockBytes is what two blocks of activations may take unless a caller says
// otherwise.
const blockBytes = 1 << 30

// strip is the number of rows that are multiplied at once within a block.
const strip = 128

// columns of a block are converted to float64 and multiplied at once.
const columns = 4096

// NewGram computes the inner products of all pairs in float64. It reads blocks of
// activations that together take at most memory bytes (0: 1 GiB). With k blocks, (k²−k)/2+1
// blocks are read. Errors are those of the source and of ctx.
func NewGram(ctx context.Context, src Source, memory int64) (*Gram, error) {
	return NewGramWith(ctx, src, memory, nil)
}

// Products returns the matrix Σₖ (leftᵢₖ − meanᵢ)(rightⱼₖ − meanⱼ) in float64, row by row.
// Activations that are nil (constant or not finite) have no products.
type Products func(ctx context.Context, left, right [][]float32, meanLeft, meanRight []float64) ([]float64, error)

// NewGramWith is NewGram with inner products computed by another function, such as on a
// device. nil computes them on the host.
func NewGramWith(ctx context.Context, src Source, memory int64, with Products) (*Gram, error) {
	n, dim := src.Len(), src.Dim()
	if n == 0 || dim == 0 {
		return nil, fmt.Errorf("evaluate: %d images with activations of %d values", n, dim)
	}
	if memory == 0 {
		memory = blockBytes
	}
	g := &Gram{N: n, Dim: dim, centred: make([]float64, n*n), mean: make([]float64, n), flaw: make([]flaw, n)}
	size := int(min(max(memory/(8*int64(dim)), 1), 1024, int64(n)))
	read := func(from int) ([][]float32, error) {
		to := min(from+size, n)
		acts, err := src.Read(ctx, from, to)
		if err != nil {
			return nil, err
		}
		if len(acts) != to-from {
			return nil, fmt.Errorf("evaluate: %d activations for the images %d to %d", len(acts), from, to-1)
		}
		for i, a := range acts {
			if len(a) != dim {
				return nil, fmt.Errorf("evaluate: the activation of image %d has %d values, expected %d", from+i, len(a), dim)
			}
		}
		return acts, ctx.Err()
	}
	multiply := g.multiply
	if with != nil {
		multiply = func(ctx context.Context, a int, left [][]float32, b int, right [][]float32) error {
			return g.elsewhere(ctx, with, a, left, b, right)
		}
	}
	for a := 0; a < n; a += size {
		left, err := read(a)
		if err != nil {
			return nil, err
		}
		for i, v := range left {
			g.note(a+i, v)
		}
		if err := multiply(ctx, a, left, a, left); err != nil {
			return nil, err
		}
		// The blocks before this one, whose means are known by now.
		for b := 0; b < a; b += size {
			right, err := read(b)
			if err != nil {
				return nil, err
			}
			if err := multiply(ctx, a, left, b, right); err != nil {
				return nil, err
			}
		}
	}
	return g, nil
}

func (g *Gram) note(i int, a []float32) {
	lo, hi, finite := span(a)
	if !finite {
		g.flaw[i] = infinite
		return
	}
	if lo == hi {
		g.flaw[i], g.mean[i] = flat, float64(lo)
		return
	}
	sum := 0.0
	for _, v := range a {
		sum += float64(v)
	}
	g.mean[i] = sum / float64(len(a))
}

// multiply fills the products of the block of images from a on with that from b on.
func (g *Gram) multiply(ctx context.Context, a int, left [][]float32, b int, right [][]float32) error {
	out := blas64.General{Rows: len(left), Cols: len(right), Stride: len(right), Data: make([]float64, len(left)*len(right))}
	for k := 0; k < g.Dim; k += columns {
		if err := ctx.Err(); err != nil {
			return err
		}
		l := g.part(a, left, k)
		if a != b {
			blas64.Gemm(blas.NoTrans, blas.Trans, 1, l, g.part(b, right, k), 1, out)
			continue
		}
		// A block with itself: the lower triangle, in strips.
		for s := 0; s < l.Rows; s += strip {
			end := min(s+strip, l.Rows)
			blas64.Gemm(blas.NoTrans, blas.Trans, 1, rowsOf(l, s, end, l.Cols), rowsOf(l, 0, end, l.Cols), 1, rowsOf(out, s, end, end))
		}
	}
	for i := range left {
		for j := range right {
			if a == b && j > i {
				break
			}
			v := out.Data[i*out.Stride+j]
			g.centred[(a+i)*g.N+b+j], g.centred[(b+j)*g.N+a+i] = v, v
		}
	}
	return nil
}

// elsewhere is multiply by other means.
func (g *Gram) elsewhere(ctx context.Context, with Products, a int, left [][]float32, b int, right [][]float32) error {
	sound := func(first int, acts [][]float32) [][]float32 {
		out := make([][]float32, len(acts))
		for i, v := range acts {
			if g.flaw[first+i] == 0 {
				out[i] = v
			}
		}
		return out
	}
	l := sound(a, left)
	r := l
	if a != b {
		r = sound(b, right)
	}
	v, err := with(ctx, l, r, g.mean[a:a+len(l)], g.mean[b:b+len(r)])
	if err != nil {
		return err
	}
	if len(v) != len(l)*len(r) {
		return fmt.Errorf("evaluate: %d inner products of %d and %d activations", len(v), len(l), len(r))
	}
	for i := range l {
		for j := range r {
			x := v[i*len(r)+j]
			if g.flaw[a+i] != 0 || g.flaw[b+j] != 0 {
				x = 0
			}
			g.centred[(a+i)*g.N+b+j], g.centred[(b+j)*g.N+a+i] = x, x
		}
	}
	return nil
}

// rowsOf is a view of some rows of m and its first columns.
func rowsOf(m blas64.General, from, to, cols int) blas64.General {
	return blas64.General{Rows: to - from, Cols: cols, Stride: m.Stride, Data: m.Data[from*m.Stride:]}
}

// part is a stretch of columns of a block, centred, in float64; zeros for flawed
// activations.
func (g *Gram) part(first int, acts [][]float32, from int) blas64.General {
	to := min(from+columns, g.Dim)
	m := blas64.General{Rows: len(acts), Cols: to - from, Stride: to - from, Data: make([]float64, len(acts)*(to-from))}
	for i, a := range acts {
		if g.flaw[first+i] != 0 {
			continue
		}
		mean, row := g.mean[first+i], m.Data[i*m.Stride:(i+1)*m.Stride]
		for j, v := range a[from:to] {
			row[j] = float64(v) - mean
		}
	}
	return m
}

// Product returns Σₖ xᵢₖ xⱼₖ of images i and j. It is NaN if one of them is not finite.
func (g *Gram) Product(i, j int) float64 {
	if g.flaw[i] == infinite || g.flaw[j] == infinite {
		return math.NaN()
	}
	return g.centred[i*g.N+j] + float64(g.Dim)*g.mean[i]*g.mean[j]
}

// Pearson returns the correlation of the activations of images i and j, in [-1,1], or
// Spearman's if the Gram is of ranks. It is NaN if one of them is constant or not finite.
func (g *Gram) Pearson(i, j int) float64 {
	if g.flaw[i] != 0 || g.flaw[j] != 0 {
		return math.NaN()
	}
	return clamp(g.centred[i*g.N+j] / math.Sqrt(g.centred[i*g.N+i]*g.centred[j*g.N+j]))
}

// Cosine returns the cosine of the activations of images i and j, in [-1,1]. It is NaN if
// one of them is zero or not finite.
func (g *Gram) Cosine(i, j int) float64 {
	return clamp(g.Product(i, j) / math.Sqrt(g.Product(i, i)*g.Product(j, j)))
}

func clamp(v float64) float64 { return min(max(v, -1), 1) }
