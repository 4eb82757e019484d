package imgmetrics

import (
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// batchPixels bounds the pixels of a batch: the graph of all metrics takes some
// 500 bytes a pixel.
const batchPixels = 16 * 224 * 224

// maxPrograms bounds the compiled graphs that a Runner keeps.
const maxPrograms = 8

// slack is how far outside [0,1] a pixel may lie by rounding.
const slack = 1e-4

// Runner measures images with a set of metrics, which it compiles as one graph for each
// batch shape. It is not safe for concurrent use.
type Runner struct {
	Metrics []Metric
	// Batch is the number of images in one call of the graph; 0: 16, or fewer where
	// images are large.
	Batch int

	backend  compute.Backend
	programs []*program // the one used longest ago first
}

// NewRunner returns a runner on a backend. Two metrics of the same name are an error.
func NewRunner(b compute.Backend, metrics ...Metric) (*Runner, error) {
	if len(metrics) == 0 {
		return nil, fmt.Errorf("imgmetrics: no metrics given: expected some of %v", Names())
	}
	for i, m := range metrics {
		if slices.ContainsFunc(metrics[:i], func(o Metric) bool { return o.Name == m.Name }) {
			return nil, fmt.Errorf("imgmetrics: the metric %s is given twice", m.Name)
		}
	}
	return &Runner{Metrics: metrics, backend: b}, nil
}

// NeedsReference reports whether a metric of the runner compares with a reference.
func (r *Runner) NeedsReference() bool {
	return slices.ContainsFunc(r.Metrics, func(m Metric) bool { return m.Reference })
}

// program is the compiled graph of the metrics that are defined for images of h×w.
type program struct {
	batch, h, w int
	g           *Graph
	outputs     []int // index of the output of each metric, -1: not defined at this size
	why         []string
	weights     []*tensors.Tensor
}

// Measure returns the values of each image, in the order of Metrics. The images are
// [N,h,w,3] in [0,1] with any N; the references have the same shape, or are nil if no
// metric needs them.
//
// An image with a pixel that is not finite or outside [0,1] has NaN for all values, with
// the reason. A metric that is not defined for the image or its size has NaN with a reason.
// Slices of the wrong length, missing references and failures of the backend are errors.
func (r *Runner) Measure(images, references []float32, h, w int) ([][]Value, error) {
	per := h * w * 3
	if h < 1 || w < 1 || len(images) == 0 || len(images)%per != 0 {
		return nil, fmt.Errorf("imgmetrics: %d numbers are no images of %d×%d pixels: expected a multiple of %d", len(images), w, h, per)
	}
	with := r.NeedsReference()
	if with && len(references) != len(images) {
		return nil, fmt.Errorf("imgmetrics: %d references of %d×%d pixels for %d images: expected one each", len(references)/per, w, h, len(images)/per)
	}
	p, err := r.program(len(images)/per, h, w, with)
	if err != nil {
		return nil, err
	}
	var out [][]Value
	for from := 0; from < len(images); from += p.batch * per {
		n := min(p.batch, (len(images)-from)/per)
		in := []any{fill(images[from:from+n*per], p.batch, h, w)}
		if with {
			in = append(in, fill(references[from:from+n*per], p.batch, h, w))
		}
		values, err := r.run(p, in, n)
		if err != nil {
			return nil, err
		}
		out = append(out, values...)
	}
	return out, nil
}

// fill makes a tensor of n images, the last one repeated up to the batch.
func fill(part []float32, batch, h, w int) *tensors.Tensor {
	per := h * w * 3
	buf := make([]float32, 0, batch*per)
	buf = append(buf, part...)
	for len(buf) < batch*per {
		buf = append(buf, part[len(part)-per:]...)
	}
	return tensors.FromFlatDataAndDimensions(buf, batch, h, w, 3)
}

// program returns the compiled graph for n images of h×w.
func (r *Runner) program(n, h, w int, with bool) (*program, error) {
	batch := r.Batch
	if batch == 0 {
		batch = max(1, min(16, batchPixels/(h*w)))
	}
	for i, p := range r.programs {
		// A program for fewer images at once serves as well.
		if p.h == h && p.w == w && (p.batch == batch || p.batch >= n) {
			r.programs = append(append(r.programs[:i:i], r.programs[i+1:]...), p)
			return p, nil
		}
	}
	p := &program{batch: min(batch, n), h: h, w: w, outputs: make([]int, len(r.Metrics)), why: make([]string, len(r.Metrics))}
	if err := exceptions.TryCatch[error](func() { p.compile(r.backend, r.Metrics, with) }); err != nil {
		return nil, fmt.Errorf("imgmetrics: compiling the metrics for %d images of %d×%d: %w", p.batch, w, h, err)
	}
	if len(r.programs) >= maxPrograms {
		r.programs[0].g.Finalize()
		r.programs = r.programs[1:]
	}
	r.programs = append(r.programs, p)
	return p, nil
}

// compile draws images, references, weights… → checks [B,2], a metric's [B,K]….
func (p *program) compile(b compute.Backend, metrics []Metric, with bool) {
	g := NewGraph(b, "image metrics")
	shape := shapes.Make(dtypes.Float32, p.batch, p.h, p.w, 3)
	images := Parameter(g, "images", shape)
	var references *Node
	if with {
		references = Parameter(g, "references", shape)
	}
	f := newFrame(images, references)
	outputs := []*Node{extremes(images)}
	if with {
		outputs = append(outputs, extremes(references))
	}
	for i, m := range metrics {
		p.outputs[i] = -1
		if m.Defined != nil {
			if p.why[i] = m.Defined(p.h, p.w); p.why[i] != "" {
				continue
			}
		}
		if m.net != nil {
			// A scope a metric, since two models have variables of one name. In this
			// order, each variable is a parameter of the graph.
			name := fmt.Sprintf("metric%d", i)
			st := model.NewStore()
			for _, path := range m.net.paths {
				w := m.net.net.Weights[path]
				v, err := st.CreateVariable("/"+name+path, w)
				if err != nil {
					panic(err)
				}
				v.SetTrainable(false).NodeValue(g)
				p.weights = append(p.weights, w)
			}
			f.scope = st.RootScope().At("%s", name)
		}
		p.outputs[i] = len(outputs)
		outputs = append(outputs, m.Stats(f))
		f.scope = nil
	}
	if err := g.Compile(outputs...); err != nil {
		panic(err)
	}
	p.g = g
}

// extremes is [B,3]: the least and the greatest pixel, and 1 if all are finite.
func extremes(x *Node) *Node {
	x = Reshape(x, x.Shape().Dim(0), -1)
	fine := IsFinite(x)
	zero := ZerosLike(x)
	safe := Where(fine, x, zero)
	return columns(ReduceMin(safe, 1), ReduceMax(safe, 1), ReduceMin(Where(fine, OnesLike(x), zero), 1))
}

// run executes the graph and turns statistics into the values of the first n images.
func (r *Runner) run(p *program, in []any, n int) (out [][]Value, err error) {
	var results [][]float64
	with := len(in) == 2
	var bad []string
	err = exceptions.TryCatch[error](func() {
		for _, w := range p.weights {
			in = append(in, w)
		}
		for i, t := range p.g.Run(in...) {
			if i == 0 || i == 1 && with {
				bad = flaws(bad, tensors.MustCopyFlatData[float32](t), i == 1)
				results = append(results, nil)
			} else {
				results = append(results, tensors.MustCopyFlatData[float64](t))
			}
			t.MustFinalizeAll()
		}
	})
	for _, t := range in[:len(in)-len(p.weights)] {
		t.(*tensors.Tensor).MustFinalizeAll()
	}
	if err != nil {
		return nil, fmt.Errorf("imgmetrics: measuring %d images of %d×%d: %w", n, p.w, p.h, err)
	}
	for i := range n {
		values := make([]Value, len(r.Metrics))
		for j, m := range r.Metrics {
			values[j] = r.value(p, m, j, i, bad[i], results)
		}
		out = append(out, values)
	}
	return out, nil
}

// value is metric j of image i.
func (r *Runner) value(p *program, m Metric, j, i int, bad string, results [][]float64) Value {
	switch {
	case bad != "":
		return undefined("%s", bad)
	case p.outputs[j] < 0:
		return undefined("%s", p.why[j])
	}
	all := results[p.outputs[j]]
	k := len(all) / p.batch
	stats := all[i*k : (i+1)*k]
	v := Value{V: stats[0]}
	if m.Value != nil {
		v = m.Value(stats, p.h, p.w)
	}
	if math.IsNaN(v.V) && v.Why == "" {
		v.Why = "not a number for this image"
	}
	return v
}

// flaws says of each image what is wrong with its pixels, "" if nothing is.
func flaws(bad []string, extremes []float32, reference bool) []string {
	if bad == nil {
		bad = make([]string, len(extremes)/3)
	}
	what := "image"
	if reference {
		what = "reference"
	}
	for i := range bad {
		lo, hi, fine := extremes[3*i], extremes[3*i+1], extremes[3*i+2]
		switch {
		case bad[i] != "":
		case fine == 0:
			bad[i] = "a pixel of the " + what + " is NaN or infinite"
		case lo < -slack || hi > 1+slack:
			bad[i] = fmt.Sprintf("the %s has pixels from %g to %g, expected 0 to 1", what, lo, hi)
		}
	}
	return bad
}

// Rows converts values to one row per image and metric. The other columns are copied from
// like, and the first image has the index first. Infinite values keep their reason.
func (r *Runner) Rows(like metamer.Row, first int, values [][]Value) (rows metamer.Rows) {
	for i, v := range values {
		for j, m := range r.Metrics {
			row := like
			row.Image, row.Measure, row.Value = first+i, m.Name, v[j].V
			row.Low, row.High = math.NaN(), math.NaN()
			row.Count, row.Reason = 1, v[j].Why
			if math.IsNaN(row.Value) {
				row.Count = 0
			}
			rows = append(rows, row)
		}
	}
	return rows
}
