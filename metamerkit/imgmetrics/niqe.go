package imgmetrics

import (
	"embed"
	"encoding/json"
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// niqeBlock is the side of NIQE's blocks; at the second scale half of it.
const niqeBlock = 96

// niqeFeatures is the number of features of a block, 18 a scale.
const niqeFeatures = 36

// NIQEModel is the Gaussian of the features of blocks of undistorted photographs.
type NIQEModel struct {
	Name string
	Mean [niqeFeatures]float64
	Cov  [niqeFeatures][niqeFeatures]float64
}

//go:embed models
var carried embed.FS

// photoNIQE returns the built-in model, fitted to the photographs listed in docs/metrics.md
// by testdata/scripts/metrics_fit.py. Its values differ from those of the original model.
func photoNIQE() *NIQEModel {
	data, err := carried.ReadFile("models/niqe_photos.json")
	if err != nil {
		panic("imgmetrics: " + err.Error())
	}
	m := &NIQEModel{}
	if err := json.Unmarshal(data, m); err != nil {
		panic("imgmetrics: models/niqe_photos.json: " + err.Error())
	}
	return m
}

func carriedNIQE() Metric {
	m := NIQE(photoNIQE())
	m.Name, m.Title = "niqe-photos", "NIQE (model fitted on photographs)"
	m.Cite += "; model fitted by this project, not the original"
	return m
}

// NIQE is the natural image quality evaluator (Mittal et al. 2013) with the given model:
// the distance between the Gaussians fitted to the features of the image's blocks of 96×96
// pixels and to those of photographs. Blocks at the right and bottom that are not full are
// left out. Lower is better.
func NIQE(model *NIQEModel) Metric {
	return Metric{
		Name: "niqe", Title: "NIQE", Better: Lower, Noise: Rises, Blur: Rises, JPEG: Rises,
		Cite:   "Mittal, Soundararajan & Bovik 2013, Making a Completely Blind Image Quality Analyzer, IEEE Signal Processing Letters 20(3)",
		Agrees: "pyiqa (niqe)",
		Defined: func(h, w int) string {
			if n := (h / niqeBlock) * (w / niqeBlock); n < 2 {
				return fmt.Sprintf("%d×%d pixels have %d blocks of %d×%d; a covariance needs two", w, h, n, niqeBlock, niqeBlock)
			}
			return ""
		},
		Stats: func(f *Frame) *Node {
			return f.once("niqe", func() *Node {
				y := along(along(f.Grey(), 1, 0, f.H/niqeBlock*niqeBlock), 2, 0, f.W/niqeBlock*niqeBlock)
				first := blockMoments(mscn(y, replicate), niqeBlock, niqeBlock)
				second := blockMoments(mscn(halve(y), replicate), niqeBlock/2, niqeBlock/2)
				return Concatenate([]*Node{first, second}, 1)
			})
		},
		Value: func(stats []float64, h, w int) Value { return model.distance(niqeBlocks(stats)) },
	}
}

// niqeBlocks turns the moments of an image into its blocks' features [blocks][36].
func niqeBlocks(stats []float64) [][]float64 {
	half := len(stats) / 2
	first, second := readMoments(stats[:half], niqeBlock*niqeBlock), readMoments(stats[half:], niqeBlock*niqeBlock/4)
	out := make([][]float64, len(first))
	for i := range out {
		out[i] = append(niqeScale(first[i]), niqeScale(second[i])...)
	}
	return out
}

func niqeScale(block [maps]moments) []float64 {
	alpha, l, r := block[0].aggd()
	c := math.Sqrt(math.Exp(lgamma(1/alpha) - lgamma(3/alpha)))
	out := []float64{alpha, (l*c + r*c) / 2}
	for _, m := range block[1:] {
		alpha, l, r = m.aggd()
		c = math.Sqrt(math.Exp(lgamma(1/alpha) - lgamma(3/alpha)))
		out = append(out, alpha, (r*c-l*c)*math.Exp(lgamma(2/alpha)-lgamma(1/alpha)), l*c, r*c)
	}
	return out
}

// distance compares the model's Gaussian with that of blocks' features. As in the
// original a feature that a flat block lacks is left out of the mean, and the
// block out of the covariance.
func (m *NIQEModel) distance(blocks [][]float64) Value {
	var whole []float64 // rows without NaN
	diff := mat.NewVecDense(niqeFeatures, nil)
	for j := range niqeFeatures {
		sum, n := 0.0, 0
		for _, b := range blocks {
			if !math.IsNaN(b[j]) {
				sum, n = sum+b[j], n+1
			}
		}
		if n == 0 {
			return undefined("no block has structure: the image is constant")
		}
		diff.SetVec(j, m.Mean[j]-sum/float64(n))
	}
	rows := 0
	for _, b := range blocks {
		if !hasNaN(b) {
			whole, rows = append(whole, b...), rows+1
		}
	}
	if rows < 2 {
		return undefined("%d of %d blocks have structure: a covariance needs two", rows, len(blocks))
	}
	var cov mat.SymDense
	stat.CovarianceMatrix(&cov, mat.NewDense(rows, niqeFeatures, whole), nil)
	pooled := mat.NewDense(niqeFeatures, niqeFeatures, nil)
	for i := range niqeFeatures {
		for j := range niqeFeatures {
			pooled.Set(i, j, (m.Cov[i][j]+cov.At(i, j))/2)
		}
	}
	var solved mat.VecDense
	if !pseudoSolve(&solved, pooled, diff) {
		return undefined("the singular values of the covariance were not found")
	}
	return Value{V: math.Sqrt(mat.Dot(diff, &solved))}
}

func hasNaN(v []float64) bool {
	for _, x := range v {
		if math.IsNaN(x) {
			return true
		}
	}
	return false
}

// pseudoSolve multiplies b by the pseudo-inverse of a, where singular values below
// the largest times n·2⁻⁵² count as zero, as in MATLAB, NumPy and PyTorch.
func pseudoSolve(dst *mat.VecDense, a *mat.Dense, b *mat.VecDense) bool {
	var svd mat.SVD
	if !svd.Factorize(a, mat.SVDThin) {
		return false
	}
	n, _ := a.Dims()
	s := svd.Values(nil)
	var u, v mat.Dense
	svd.UTo(&u)
	svd.VTo(&v)
	var c mat.VecDense
	c.MulVec(u.T(), b)
	for i, x := range s {
		if x > s[0]*float64(n)*0x1p-52 {
			c.SetVec(i, c.AtVec(i)/x)
		} else {
			c.SetVec(i, 0)
		}
	}
	dst.MulVec(&v, &c)
	return true
}
