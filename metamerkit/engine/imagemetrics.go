package engine

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/ensemble-metamers/metamers/metamerkit/imgmetrics"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// runner returns the compiled image metrics of these names, all that need no file by
// default.
func (e *Engine) runner(names []string) (*imgmetrics.Runner, error) {
	if names == nil {
		names = imgmetrics.Names()
	}
	metrics, err := imgmetrics.Lookup(names...)
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	return compile(e, "metrics", zoo.Key{}, digestOf(names), func() (*imgmetrics.Runner, error) { return imgmetrics.NewRunner(e.Backend.Compute, metrics...) })
}

// maxMetrics is of how many image sets the metrics are kept.
const maxMetrics = 4

// metricsKey tells apart the image metrics of references.
type metricsKey struct {
	images    string // SHA-256
	size      int
	metrics   digest // of their names
	bootstrap metamer.Bootstrap
}

// imageMetrics returns the image metrics of a run's metamers, and those of its
// references, which are rows without run, set and stage, and measured once for runs of the
// same images.
func (e *Engine) imageMetrics(ctx context.Context, q Evaluation, p portrait) (mets, refs metamer.Rows, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	at := e.metricsFile(q, p)
	rows := e.storedRows(at, q)
	if rows == nil {
		r, err := e.runner(q.Metrics)
		if err != nil {
			return nil, nil, err
		}
		key := metricsKey{p.sum, p.refs.Size, digestOf(q.Metrics), q.Bootstrap}
		if own, ok := e.metrics.Get(key); ok {
			rows = slices.Clone(own)
		} else {
			if rows, err = e.measureImages(ctx, r, q.Bootstrap, p.references(), p.refs.Pixels, nil, p.refs.Size, p.run.Recipe.Variants.Each()); err != nil {
				return nil, nil, err
			}
			e.metrics.Put(key, slices.Clone(rows))
		}
		more, err := e.measureImages(ctx, r, q.Bootstrap, p.row(), p.run.Metamers, p.refs.Pixels, p.refs.Size, p.run.Recipe.Variants.Each())
		if err != nil {
			return nil, nil, err
		}
		rows = append(rows, more...)
		storeRows(at, rows, q)
	}
	own := p.references().Made
	for _, r := range rows {
		if r.Made = p.made; r.Set == "" {
			r.Made = own
			refs = append(refs, r)
		} else {
			mets = append(mets, r)
		}
	}
	return mets, refs, nil
}

// metricsFile returns the file of the rows of image metrics.
func (e *Engine) metricsFile(q Evaluation, p portrait) rowFile {
	names := q.Metrics
	if names == nil {
		names = imgmetrics.Names()
	}
	return rowKey{Format: rowFormat, Run: p.run.ID, Images: p.sum, Measure: "metrics", Metrics: names,
		Backend: string(e.Backend.Kind), Bootstrap: q.Bootstrap, Versions: versions(e.Backend)}.beside(p.run)
}

// measureImages returns a row an image and metric, and one of each metric's mean.
// Without references, metrics that need one are left out.
func (e *Engine) measureImages(ctx context.Context, r *imgmetrics.Runner, b metamer.Bootstrap, base metamer.Row, pixels, references []float32, size, variants int) (metamer.Rows, error) {
	given := references
	if given == nil {
		given = pixels // of metrics that are left out
	}
	per := size * size * 3
	n := len(pixels) / per
	var values [][]imgmetrics.Value
	const chunk = 64 // images between two looks at ctx
	for from := 0; from < n; from += chunk {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		to := min(from+chunk, n)
		var part [][]imgmetrics.Value
		err := e.device.do(ctx, func() (err error) {
			part, err = r.Measure(pixels[from*per:to*per], given[from*per:to*per], size, size)
			return err
		})
		if err != nil {
			return nil, err
		}
		values = append(values, part...)
	}
	var rows metamer.Rows
	for k, m := range r.Metrics {
		if m.Reference && references == nil {
			continue
		}
		p := &observation{q: Evaluation{Bootstrap: b}, base: base, variants: variants}
		column, why := make([]float64, n), make([]string, n)
		for i, v := range values {
			column[i], why[i] = v[k].V, v[k].Why
			if math.IsInf(v[k].V, 0) { // PSNR of equal images: no mean
				column[i] = math.NaN()
			}
		}
		if err := p.each(m.Name, column, func(i int) string { return why[i] }); err != nil {
			return nil, err
		}
		rows = append(rows, p.rows...)
	}
	return rows, nil
}
