package imgmetrics

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
)

// brisqueFeatures is the number of BRISQUE's features, 18 a scale.
const brisqueFeatures = 36

// photoBRISQUE returns the built-in regression, from BRISQUE's features to the known
// strength (0 to 100) of distortions applied to photographs; see docs/metrics.md and
// testdata/scripts/metrics_fit.py. Its values differ from those of the original model.
func photoBRISQUE() *SVR {
	model, err := carried.ReadFile("models/brisque_photos.svm")
	if err != nil {
		panic("imgmetrics: " + err.Error())
	}
	ranges, err := carried.ReadFile("models/brisque_photos.range")
	if err != nil {
		panic("imgmetrics: " + err.Error())
	}
	m, err := parseSVR("models/brisque_photos.svm", model, "models/brisque_photos.range", ranges, brisqueFeatures)
	if err != nil {
		panic(err.Error())
	}
	return m
}

func carriedBRISQUE() Metric {
	m := BRISQUE(photoBRISQUE())
	m.Name, m.Title = "brisque-photos", "BRISQUE (model fitted on photographs)"
	m.Cite += "; model fitted by this project, not the original"
	return m
}

// BRISQUE is the blind image spatial quality evaluator (Mittal et al. 2012) with the given
// regression. Lower is better.
func BRISQUE(model *SVR) Metric {
	return Metric{
		Name: "brisque", Title: "BRISQUE", Better: Lower, Noise: Rises, Blur: Rises, JPEG: Rises,
		Cite:    "Mittal, Moorthy & Bovik 2012, No-Reference Image Quality Assessment in the Spatial Domain, IEEE Transactions on Image Processing 21(12)",
		Agrees:  "pyiqa (brisque), features and score",
		Defined: atLeast(16, "half of %d is about the window's 7"),
		Stats: func(f *Frame) *Node {
			return f.once("brisque", func() *Node {
				y := f.Grey()
				first := blockMoments(mscn(y, zeros), f.H, f.W)
				y = halve(y)
				d := y.Shape().Dimensions
				return Concatenate([]*Node{first, blockMoments(mscn(y, zeros), d[1], d[2])}, 1)
			})
		},
		Value: func(stats []float64, h, w int) Value {
			v := brisqueOf(stats, h, w)
			if hasNaN(v) {
				return undefined("the image has no structure to fit: it is constant, or its coefficients have one sign")
			}
			return Value{V: model.Predict(v)}
		},
	}
}

// brisqueOf turns the moments of an image into its 36 features.
func brisqueOf(stats []float64, h, w int) (out []float64) {
	half := len(stats) / 2
	for i, pixels := range []int{h * w, ((h + 1) / 2) * ((w + 1) / 2)} {
		block := readMoments(stats[i*half:(i+1)*half], pixels)[0]
		alpha, variance := block[0].ggd()
		out = append(out, alpha, variance)
		for _, m := range block[1:] {
			alpha, l, r := m.aggd()
			eta := (r - l) * math.Exp(lgamma(2/alpha)-(lgamma(1/alpha)+lgamma(3/alpha))/2)
			out = append(out, alpha, eta, l*l, r*r)
		}
	}
	return out
}
