// Package imgmetrics measures images: statistics that need no reference, blind
// quality (BRISQUE, NIQE, PIQE), and distances to a reference image.
//
// A metric has two halves. Stats is a graph function that reduces a batch of
// images on the device to a few numbers an image, in float64; Value turns these
// numbers into the metric's value. No loop over pixels runs on the host, and a
// Runner compiles all its metrics as one graph, once a batch shape.
//
// docs/metrics.md says of each metric which reference implementation it agrees
// with and how closely.
package imgmetrics

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Direction says which values of a metric are better.
type Direction = metamer.Direction

// The directions.
const (
	Higher  = metamer.Higher
	Lower   = metamer.Lower
	Neither = metamer.Neither
)

// Trend is the direction in which a metric changes as a degradation of a photograph grows.
type Trend string

// The trends.
const (
	Rises Trend = "rises"
	Falls Trend = "falls"
	Mixed Trend = "mixed" // depends on the image, or changes direction
)

// Metric is one measure of an image.
type Metric struct {
	Name      string
	Title     string // for axes and tables
	Unit      string // "" for a pure number
	Better    Direction
	Cite      string // the paper or the definition
	Agrees    string // the implementation that tests compare with
	Reference bool   // compares with a reference image

	// How the value moves as noise, blur and JPEG compression of a photograph grow.
	Noise, Blur, JPEG Trend

	// Defined returns why the metric has no meaning for images of h×w pixels, ""
	// if it has. nil: it always has.
	Defined func(h, w int) string
	// Stats reduces the frame's batch to [B,K], float64.
	Stats func(f *Frame) *Node
	// Value computes the value of an image of h×w pixels from its K statistics;
	// nil: K is 1 and the statistic is the value.
	Value func(stats []float64, h, w int) Value

	net *netSource // weights that Stats reads, if any
}

// Value is the value of a metric for one image.
type Value struct {
	V   float64 // NaN: not defined
	Why string  // why V is NaN or infinite, else ""
}

// String returns the value, with the reason if it is NaN or infinite.
func (v Value) String() string {
	if v.Why != "" {
		return fmt.Sprintf("%v (%s)", v.V, v.Why)
	}
	return fmt.Sprint(v.V)
}

func undefined(format string, args ...any) Value {
	return Value{math.NaN(), fmt.Sprintf(format, args...)}
}

// known lists the metrics that need no file, in the order of tables.
func known() []Metric { return slices.Clone(fileless()) }

// fileless is made once: it reads the carried models.
var fileless = sync.OnceValue(func() []Metric {
	return []Metric{
		totalVariation, noise, sharpness, spectralSlope, colourfulness, entropy, saturated, brightness, contrast,
		PIQE(), carriedNIQE(), carriedBRISQUE(), psnr, ssim, msssim,
	}
})

// fromFiles are the names of metrics that need a file and the functions that make them.
var fromFiles = map[string]string{
	"niqe":    "NIQE(model), with the model that LoadNIQE reads from a file (--niqe-model)",
	"brisque": "BRISQUE(model), with the model that LoadBRISQUE reads from files (--brisque-model)",
}

// Names returns the names that Lookup knows, in the order of tables.
func Names() (names []string) {
	for _, m := range known() {
		names = append(names, m.Name)
	}
	return names
}

// Lookup returns the metrics of these names. An unknown name is an error that wraps a
// *metamer.UnknownError with the nearest names.
func Lookup(names ...string) ([]Metric, error) {
	all := known()
	out := make([]Metric, 0, len(names))
	for _, n := range names {
		i := slices.IndexFunc(all, func(m Metric) bool { return m.Name == n })
		if i < 0 {
			if how, ok := fromFiles[n]; ok {
				return nil, fmt.Errorf("imgmetrics: %s needs a model from a file: use %s, or %s-photos, which this project carries", n, how, n)
			}
			return nil, fmt.Errorf("imgmetrics: %w", metamer.Unknown("image metric", n, Names()))
		}
		out = append(out, all[i])
	}
	return out, nil
}

// Blind returns the metrics that need neither a reference nor a file.
func Blind() []Metric {
	return slices.DeleteFunc(known(), func(m Metric) bool { return m.Reference })
}

// WithReference returns the metrics that compare with a reference image and need no file.
func WithReference() []Metric {
	return slices.DeleteFunc(known(), func(m Metric) bool { return !m.Reference })
}

// atLeast is a Defined function: both sides must have that many pixels.
func atLeast(side int, why string) func(h, w int) string {
	return func(h, w int) string {
		if min(h, w) < side {
			return fmt.Sprintf("%d×%d pixels are too few: %s", w, h, strings.ReplaceAll(why, "%d", fmt.Sprint(side)))
		}
		return ""
	}
}
