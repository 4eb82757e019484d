package imgmetrics

import (
	"math"
	"sort"

	. "github.com/gomlx/gomlx/core/graph"
)

// Natural scene statistics, which BRISQUE and NIQE share: coefficients normalised
// by their neighbourhood (MSCN), and generalised Gaussians fitted to them and to
// the products of neighbours by their moments.

// mscn is (y − μ) / (σ + 1) with the mean and deviation of a 7×7 Gaussian window,
// y [B,H,W] in 0 to 255. What rounding leaves of y − μ in flat areas is set to 0:
// its sign would decide on which side of the fitted Gaussians their pixels count
// (pyiqa and the originals leave it to chance).
func mscn(y *Node, b border) *Node {
	both := together(gaussian(7, 7.0/6), b, y, Square(y))
	mu := both[0]
	sigma := Sqrt(Abs(Sub(both[1], Square(mu))))
	c := Div(Sub(y, mu), AddScalar(sigma, 1))
	zero := ZerosLike(c)
	return Where(LessThan(Abs(c), AddScalar(zero, 1e-9)), zero, c)
}

// maps is how many coefficient maps have moments: the MSCN and its products with
// its neighbours on the right, below, below right and below left.
const maps = 5

// moments are the sums over one map of one block.
type moments struct {
	n                    float64 // pixels
	negative, positive   float64 // how many
	negative2, positive2 float64 // sums of squares
	abs                  float64 // sum of absolute values
}

const numMoments = 5

// blockMoments cuts x [B,H,W] into blocks of bh×bw, which divide it, and returns
// the moments of each block's five maps, [B,blocks*maps*numMoments]. Neighbours
// are found by shifting the block around, as the originals' circshift does.
func blockMoments(x *Node, bh, bw int) *Node {
	d := x.Shape().Dimensions
	b, rows, cols := d[0], d[1]/bh, d[2]/bw
	x = TransposeAllAxes(Reshape(x, b, rows, bh, cols, bw), 0, 1, 3, 2, 4) // [B,rows,cols,bh,bw]
	var all []*Node
	for i, shift := range [maps][2]int{{0, 0}, {0, 1}, {1, 0}, {1, 1}, {1, -1}} {
		v := x
		if i > 0 {
			v = Mul(x, roll(roll(x, 3, shift[0]), 4, shift[1]))
		}
		all = append(all, v)
	}
	v := Stack(all, 3) // [B,rows,cols,maps,bh,bw]
	zero, one := ZerosLike(v), OnesLike(v)
	neg, pos := LessThan(v, zero), GreaterThan(v, zero)
	square := Square(v)
	var sums []*Node
	for _, m := range [numMoments]*Node{Where(neg, one, zero), Where(pos, one, zero), Where(neg, square, zero), Where(pos, square, zero), Abs(v)} {
		sums = append(sums, ReduceSum(m, 4, 5))
	}
	return Reshape(Stack(sums, 4), b, rows*cols*maps*numMoments)
}

// roll shifts an axis around by one pixel forward (1), backward (-1) or not (0).
func roll(x *Node, axis, by int) *Node {
	n := x.Shape().Dim(axis)
	if by == 0 || n == 1 {
		return x
	}
	cut := n - 1
	if by < 0 {
		cut = 1
	}
	return Concatenate([]*Node{along(x, axis, cut, n), along(x, axis, 0, cut)}, axis)
}

// readMoments is the host's side of blockMoments for one image: [blocks][maps].
func readMoments(stats []float64, pixels int) (out [][maps]moments) {
	for len(stats) > 0 {
		var block [maps]moments
		for i := range block {
			s := stats[i*numMoments:]
			block[i] = moments{float64(pixels), s[0], s[1], s[2], s[3], s[4]}
		}
		out = append(out, block)
		stats = stats[maps*numMoments:]
	}
	return out
}

// Shapes of generalised Gaussians, as the originals search them, and two ratios of
// moments that grow or fall with the shape.
var (
	shapeTable = make([]float64, 9801) // 0.2 to 10 by 0.001
	symmetric  = make([]float64, 9801) // Γ(1/α)Γ(3/α)/Γ(2/α)², falling
	oneSided   = make([]float64, 9801) // its inverse, rising
)

func init() {
	for i := range shapeTable {
		a := 0.2 + 0.001*float64(i)
		shapeTable[i] = a
		oneSided[i] = math.Exp(2*lgamma(2/a) - lgamma(1/a) - lgamma(3/a))
		symmetric[i] = 1 / oneSided[i]
	}
}

func lgamma(x float64) float64 { v, _ := math.Lgamma(x); return v }

// nearest returns the shape whose ratio in a rising table is nearest; NaN for NaN.
func nearest(table []float64, ratio float64) float64 {
	if math.IsNaN(ratio) {
		return math.NaN()
	}
	i := sort.SearchFloat64s(table, ratio)
	if i == len(table) || i > 0 && ratio-table[i-1] <= table[i]-ratio {
		i--
	}
	return shapeTable[i]
}

// ggd fits a generalised Gaussian: shape and variance.
func (m moments) ggd() (alpha, variance float64) {
	variance = (m.negative2 + m.positive2) / m.n
	e := m.abs / m.n
	// The original takes the nearest of Γ(1/α)Γ(3/α)/Γ(2/α)², which falls.
	rho := variance / (e * e)
	if math.IsNaN(rho) {
		return math.NaN(), variance
	}
	i := sort.Search(len(symmetric), func(i int) bool { return symmetric[i] <= rho })
	if i == len(symmetric) || i > 0 && symmetric[i-1]-rho < rho-symmetric[i] {
		i--
	}
	return shapeTable[i], variance
}

// aggd fits an asymmetric generalised Gaussian: shape and the root mean squares of
// its two sides. NaN where one side is empty.
func (m moments) aggd() (alpha, left, right float64) {
	left, right = math.Sqrt(m.negative2/m.negative), math.Sqrt(m.positive2/m.positive)
	g := left / right
	e := m.abs / m.n
	r := e * e / ((m.negative2 + m.positive2) / m.n)
	alpha = nearest(oneSided, r*(g*g*g+1)*(g+1)/((g*g+1)*(g*g+1)))
	return alpha, left, right
}
