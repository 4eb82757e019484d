package engine

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// evaluateUnit returns all rows of one run by one observer.
func (e *Engine) evaluateUnit(ctx context.Context, q Evaluation, u *unit) (rows metamer.Rows, err error) {
	done := map[string]metamer.Rows{}
	toMeasure := func() (missing []string) {
		for _, m := range observed(q.Measures) {
			if done[m] = e.storedRows(e.rowFile(q, *u, m), q); done[m] == nil {
				missing = append(missing, m)
			}
		}
		return missing
	}
	missing := toMeasure()
	var p *observation
	if missing != nil {
		other, err := e.load(u)
		if err != nil {
			return nil, err
		}
		if other { // rows of what has no layer have names of their own
			missing = toMeasure()
		}
	}
	if missing != nil {
		if p, err = e.newObservation(q, u, missing); err != nil {
			return nil, err
		}
	}
	if p != nil {
		defer func() {
			e.readings.Put(p.ref.key, p.ref)
			e.readings.Trim(e.keptReadings(q), 1)
		}()
		for _, m := range missing {
			p.rows = nil
			if m != "recognizability" && u.noLayer != "" {
				p.none(m, u.noLayer)
			} else if err := p.measure(ctx, m); err != nil {
				return nil, err
			}
			done[m] = p.rows
			storeRows(e.rowFile(q, *u, m), p.rows, q)
		}
	}
	for _, m := range observed(q.Measures) {
		rows = append(rows, done[m]...)
	}
	for i := range rows { // kept by a version whose rows did not say
		rows[i].Made = u.made
	}
	return rows, nil
}

// newObservation begins what is missing of a run by an observer, which is open.
func (e *Engine) newObservation(q Evaluation, u *unit, missing []string) (p *observation, err error) {
	p = &observation{q: q, u: *u, base: u.row(), variants: u.run.Recipe.Variants.Each()}
	p.base.Observer, p.base.Member = u.observer.Card.Name, u.member
	acts := u.noLayer == "" && slices.ContainsFunc(missing, func(m string) bool { return m != "recognizability" })
	var kept bool
	if p.ref, kept = e.readings.Take(u.readingKey(q), func(r *reading) bool { return r.serves(acts) }); !kept {
		if p.ref, err = e.newReading(*u, u.refs.Pixels, q, acts); err != nil {
			return nil, err
		}
	}
	p.met, err = e.newReading(*u, u.run.Metamers, q, acts)
	return p, err
}

// observation collects the rows of one run by one observer.
type observation struct {
	q        Evaluation
	u        unit
	base     metamer.Row
	ref, met *reading
	variants int // images in a row that have one reference; 0: 1
	rows     metamer.Rows
}

func (p *observation) measure(ctx context.Context, m string) error {
	switch m {
	case "recognizability":
		return p.recognizability(ctx)
	case "success":
		return p.success(ctx)
	}
	why := metamer.TooFew(p.ref.n, p.q.MinImages)
	if p.variants > 1 {
		why = "several images of the run are variants of one reference"
	}
	if why != "" {
		p.withheld(m, why)
		return nil
	}
	if m == "cka" {
		return p.cka(ctx)
	}
	for _, kind := range p.q.Similarities {
		ref, err := p.ref.matrix(ctx, kind)
		if err != nil {
			return err
		}
		met, err := p.met.matrix(ctx, kind)
		if err != nil {
			return err
		}
		if m == "jsd" {
			err = p.jsd(ref, met)
		} else {
			err = p.rsa(ref, met)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// add appends a row over all images.
func (p *observation) add(measure string, value, low, high float64, count int, reason string) {
	r := p.base
	r.Image, r.Measure, r.Value, r.Low, r.High, r.Count, r.Reason = -1, measure, value, low, high, count, reason
	p.rows = append(p.rows, r)
}

func (p *observation) none(measure, reason string) {
	p.add(measure, math.NaN(), math.NaN(), math.NaN(), 0, reason)
}

// each appends a row an image and one of their mean. why says why an image's value
// is NaN.
func (p *observation) each(measure string, values []float64, why func(i int) string) error {
	for i, v := range values {
		r := p.base
		r.Image, r.Measure, r.Value, r.Low, r.High, r.Count = i, measure, v, math.NaN(), math.NaN(), 1
		if math.IsNaN(v) {
			r.Count, r.Reason = 0, why(i)
		}
		p.rows = append(p.rows, r)
	}
	mean, low, high, count, err := meanOf(evaluate.Bootstrap(p.q.Bootstrap), measure)(byReference(values, p.variants))
	reason, err := reasonOf(err)
	if err != nil {
		return err
	}
	if count == 0 && len(values) > 0 {
		reason = why(0)
	}
	p.add(measure, mean, low, high, count, reason)
	return nil
}

// meanOf is the mean of a measure over images with its interval: of an outcome a share.
func meanOf(b evaluate.Bootstrap, measure string) func([]float64) (mean, low, high float64, count int, err error) {
	if measure == "success" || measure == "apart" || strings.HasPrefix(measure, "recognizability") {
		return b.Share
	}
	return b.Mean
}

// byReference returns the mean of the variants of each reference, of those that have a value:
// images are resampled by their reference.
func byReference(values []float64, variants int) []float64 {
	if variants < 2 {
		return values
	}
	var out []float64
	for group := range slices.Chunk(values, variants) {
		sum, n := 0.0, 0
		for _, v := range group {
			if !math.IsNaN(v) {
				sum, n = sum+v, n+1
			}
		}
		out = append(out, sum/float64(n)) // NaN where there is none
	}
	return out
}

// reasonOf turns what is undefined into a reason.
func reasonOf(err error) (string, error) {
	if u, ok := err.(evaluate.Undefined); ok {
		return string(u), nil
	}
	return "", err
}
