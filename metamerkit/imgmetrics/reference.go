package imgmetrics

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

var psnr = Metric{
	Name: "psnr", Title: "PSNR", Unit: "dB", Better: Higher, Reference: true, Noise: Falls, Blur: Falls, JPEG: Falls,
	Cite:   "10 log10(1 / mean squared difference) over all pixels and channels; infinite for equal images",
	Agrees: "scikit-image (metrics.peak_signal_noise_ratio)",
	Stats: func(f *Frame) *Node {
		return columns(mean(Square(Sub(f.RGB(), ConvertDType(f.Reference, dtypes.Float64)))))
	},
	Value: func(s []float64, h, w int) Value {
		if s[0] == 0 {
			return Value{math.Inf(1), "the images are equal"}
		}
		return Value{V: -10 * math.Log10(s[0])}
	},
}

// The constants of SSIM for levels 0 to 255.
const (
	ssimWindow = metamer.SSIMWindow
	ssimSigma  = 1.5
	ssimC1     = (0.01 * 255) * (0.01 * 255)
	ssimC2     = (0.03 * 255) * (0.03 * 255)
)

var ssim = Metric{
	Name: "ssim", Title: "SSIM", Better: Higher, Reference: true, Noise: Falls, Blur: Falls, JPEG: Falls,
	Cite:    "Wang, Bovik, Sheikh & Simoncelli 2004, Image Quality Assessment; of the luma, Gaussian window 11×11 with σ 1.5, without the border",
	Agrees:  "scikit-image (metrics.structural_similarity, gaussian_weights)",
	Defined: atLeast(ssimWindow, "the window has %d×%d"),
	Stats: func(f *Frame) *Node {
		similarity, _ := ssimOf(f.Luma(), f.ReferenceLuma())
		return columns(similarity)
	},
}

// SSIM returns the metric ssim, which is of the luma, of images x and y [B,H,W,3] in [0,1], H and W at least 11: [B],
// from −1 to 1 for equal images. It has a gradient.
func SSIM(x, y *Node) *Node {
	similarity, _ := ssimOf(luma(ConvertDType(x, dtypes.Float64)), luma(ConvertDType(y, dtypes.Float64)))
	return ConvertDType(similarity, x.DType())
}

// ssimOf returns mean SSIM and mean contrast-structure of x and y [B,H,W], each [B].
func ssimOf(x, y *Node) (similarity, structure *Node) {
	blurred := together(gaussian(ssimWindow, ssimSigma), valid, x, y, Square(x), Square(y), Mul(x, y))
	mx, my := blurred[0], blurred[1]
	vx, vy, cov := Sub(blurred[2], Square(mx)), Sub(blurred[3], Square(my)), Sub(blurred[4], Mul(mx, my))
	cs := Div(AddScalar(MulScalar(cov, 2), ssimC2), AddScalar(Add(vx, vy), ssimC2))
	light := Div(AddScalar(MulScalar(Mul(mx, my), 2), ssimC1), AddScalar(Add(Square(mx), Square(my)), ssimC1))
	return mean(Mul(light, cs)), mean(cs)
}

// msWeights are the exponents of MS-SSIM's five scales.
var msWeights = []float64{0.0448, 0.2856, 0.3001, 0.2363, 0.1333}

var msssim = Metric{
	Name: "ms-ssim", Title: "MS-SSIM", Better: Higher, Reference: true, Noise: Falls, Blur: Falls, JPEG: Falls,
	Cite:    "Wang, Simoncelli & Bovik 2003, Multiscale Structural Similarity; of the luma, five scales; a negative mean at a scale counts as 0",
	Agrees:  "pytorch-msssim (ms_ssim)",
	Defined: atLeast((ssimWindow-1)<<4+1, "the window needs %d at the fifth scale"),
	Stats: func(f *Frame) *Node {
		x, y := f.Luma(), f.ReferenceLuma()
		var all []*Node
		for i := range msWeights {
			if i > 0 {
				x, y = pool(x), pool(y)
			}
			similarity, structure := ssimOf(x, y)
			if i == len(msWeights)-1 {
				structure = similarity
			}
			all = append(all, structure)
		}
		return columns(all...)
	},
	Value: func(s []float64, h, w int) Value {
		product := 1.0
		for i, v := range s {
			product *= math.Pow(max(v, 0), msWeights[i])
		}
		return Value{V: product}
	},
}

// pool takes means of 2×2 pixels of [B,H,W]; an odd axis has its last pixel twice,
// as the original's symmetric border has it.
func pool(x *Node) *Node {
	for axis := 1; axis <= 2; axis++ {
		if n := x.Shape().Dim(axis); n%2 == 1 {
			x = Concatenate([]*Node{x, along(x, axis, n-1, n)}, axis)
		}
	}
	d := x.Shape().Dimensions
	return ReduceMean(Reshape(x, d[0], d[1]/2, 2, d[2]/2, 2), 2, 4)
}
