package imgmetrics

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// The metrics of this file are plain statistics of pixels.

var totalVariation = Metric{
	Name: "tv", Title: "Total variation", Better: Lower, Noise: Rises, Blur: Falls, JPEG: Falls,
	Cite:   "Rudin, Osher & Fatemi 1992, anisotropic: mean |difference| of neighbours, across plus down, over the channels; the same as the penalty tv",
	Agrees: "NumPy",
	Stats: func(f *Frame) *Node {
		x := f.RGB()
		sum := Zeros(x.Graph(), shapes.Make(dtypes.Float64, f.B))
		if f.W > 1 {
			sum = Add(sum, mean(Abs(Sub(along(x, 2, 1, f.W), along(x, 2, 0, f.W-1)))))
		}
		if f.H > 1 {
			sum = Add(sum, mean(Abs(Sub(along(x, 1, 1, f.H), along(x, 1, 0, f.H-1)))))
		}
		return columns(sum)
	},
}

var noise = Metric{
	Name: "noise", Title: "Noise level", Unit: "8-bit levels", Better: Lower, Noise: Rises, Blur: Falls, JPEG: Falls,
	Cite:    "Immerkær 1996, Fast Noise Variance Estimation, Computer Vision and Image Understanding 64(2); of the luma; standard deviation",
	Agrees:  "SciPy (ndimage.convolve, without the border)",
	Defined: atLeast(3, "the mask has %d×%d"),
	Stats: func(f *Frame) *Node {
		second := []float64{1, -2, 1}
		r := Abs(filter2(f.Luma(), second, valid))
		return columns(MulScalar(mean(r), math.Sqrt(math.Pi/2)/6))
	},
}

var sharpness = Metric{
	Name: "sharpness", Title: "Variance of Laplacian", Unit: "8-bit levels²", Better: Higher, Noise: Rises, Blur: Falls, JPEG: Mixed,
	Cite:   "Pech-Pacheco et al. 2000; four neighbours, of the luma; noise raises it as well as detail",
	Agrees: "OpenCV (Laplacian of float64, ksize 1)",
	Stats: func(f *Frame) *Node {
		y := f.Luma()
		second := []float64{1, -2, 1}
		return columns(variance(Add(filter(y, 1, second, mirror), filter(y, 2, second, mirror))))
	},
}

var colourfulness = Metric{
	Name: "colourfulness", Title: "Colourfulness", Better: Neither, Noise: Rises, Blur: Falls, JPEG: Mixed,
	Cite:   "Hasler & Süsstrunk 2003, Measuring Colourfulness in Natural Images; sRGB 0 to 255",
	Agrees: "NumPy",
	Stats: func(f *Frame) *Node {
		r, g, b := channel(f.RGB(), 0), channel(f.RGB(), 1), channel(f.RGB(), 2)
		rg, yb := MulScalar(Sub(r, g), 255), MulScalar(Sub(MulScalar(Add(r, g), 0.5), b), 255)
		spread := Sqrt(Add(variance(rg), variance(yb)))
		centre := Sqrt(Add(Square(mean(rg)), Square(mean(yb))))
		return columns(Add(spread, MulScalar(centre, 0.3)))
	},
}

var entropy = Metric{
	Name: "entropy", Title: "Entropy", Unit: "bits", Better: Neither, Noise: Rises, Blur: Falls, JPEG: Falls,
	Cite:   "Shannon entropy of the histogram of 8-bit grey levels, 0 to 8 bits",
	Agrees: "scikit-image (measure.shannon_entropy)",
	Stats: func(f *Frame) *Node {
		g := f.Images.Graph()
		n := f.H * f.W
		// A NaN has no level; such an image's values are thrown away by the Runner.
		level := ConvertDType(ClipScalar(Where(IsFinite(f.Grey()), f.Grey(), ZerosLike(f.Grey())), 0, 255), dtypes.Int32)
		image := Iota(g, shapes.Make(dtypes.Int32, f.B, n), 0)
		index := Concatenate([]*Node{Reshape(image, f.B*n, 1), Reshape(level, f.B*n, 1)}, 1)
		ones := Ones(g, shapes.Make(dtypes.Float64, f.B*n))
		return Scatter(index, ones, shapes.Make(dtypes.Float64, f.B, 256), false, false)
	},
	Value: func(counts []float64, h, w int) Value {
		bits := 0.0
		for _, c := range counts {
			if c > 0 {
				p := c / float64(h*w)
				bits -= p * math.Log2(p)
			}
		}
		return Value{V: max(bits, 0)} // not -0 for one level
	},
}

var saturated = Metric{
	Name: "saturated", Title: "Saturated pixels", Unit: "share", Better: Lower, Noise: Rises, Blur: Falls, JPEG: Mixed,
	Cite:   "share of pixels with a channel at 0 or 255 after rounding to 8 bits",
	Agrees: "NumPy",
	Stats: func(f *Frame) *Node {
		q := f.Levels()
		at := LogicalOr(LessOrEqual(q, ZerosLike(q)), GreaterOrEqual(q, MulScalar(OnesLike(q), 255)))
		hit := ReduceMax(Where(at, OnesLike(q), ZerosLike(q)), 3)
		return columns(mean(hit))
	},
}

var brightness = Metric{
	Name: "brightness", Title: "Mean luma", Unit: "of 1", Better: Neither, Noise: Mixed, Blur: Mixed, JPEG: Mixed,
	Cite:   "mean of the luma of ITU-R BT.601 (of gamma-encoded pixels, so not a luminance), 0 to 1",
	Agrees: "NumPy",
	Stats:  func(f *Frame) *Node { return columns(DivScalar(mean(f.Luma()), 255)) },
}

var contrast = Metric{
	Name: "contrast", Title: "RMS contrast", Unit: "of 1", Better: Neither, Noise: Rises, Blur: Falls, JPEG: Mixed,
	Cite:   "Peli 1990, Contrast in complex images: standard deviation of the luma, 0 to 0.5",
	Agrees: "NumPy",
	Stats:  func(f *Frame) *Node { return columns(DivScalar(Sqrt(variance(f.Luma())), 255)) },
}
