package engine

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// evaluateUnit returns all rows of one run by one observer. refs is what the
// observer read of the references last; it is replaced when it is of others.
func (e *Engine) evaluateUnit(ctx context.Context, q Evaluation, u unit, refs **reading) (rows metamer.Rows, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	done := map[string]metamer.Rows{}
	var missing []string
	for _, m := range observed(q.Measures) {
		if done[m] = keptRows(e.rowPath(q, u, m), q); done[m] == nil {
			missing = append(missing, m)
		}
	}
	if missing != nil {
		p := &page{q: q, u: u, base: metamer.Row{Run: u.run.ID, Set: setName(u.run.Recipe), Stage: u.run.Recipe.Stage, Observer: u.judge.Card.Name, Member: u.member}}
		acts := u.noLayer == "" && slices.ContainsFunc(missing, func(m string) bool { return m != "recognizability" })
		if *refs == nil || (*refs).key != u.key() || acts && (*refs).layer < 0 {
			*refs = nil // before the next one takes memory
			if *refs, err = e.newReading(u, u.refs.Pixels, q, acts); err != nil {
				return nil, err
			}
		}
		p.ref = *refs
		if p.met, err = e.newReading(u, u.run.Metamers, q, acts); err != nil {
			return nil, err
		}
		for _, m := range missing {
			p.rows = nil
			if m != "recognizability" && u.noLayer != "" {
				p.none(m, u.noLayer)
			} else if err := p.measure(ctx, m); err != nil {
				return nil, err
			}
			done[m] = p.rows
			keepRows(e.rowPath(q, u, m), p.rows, q)
		}
	}
	for _, m := range observed(q.Measures) {
		rows = append(rows, done[m]...)
	}
	return rows, nil
}

// page collects the rows of one run by one observer.
type page struct {
	q        Evaluation
	u        unit
	base     metamer.Row
	ref, met *reading
	rows     metamer.Rows
}

func (p *page) measure(ctx context.Context, m string) error {
	switch m {
	case "recognizability":
		return p.recognizability(ctx)
	case "success":
		return p.success(ctx)
	case "cka":
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
func (p *page) add(measure string, value, low, high float64, count int, reason string) {
	r := p.base
	r.Image, r.Measure, r.Value, r.Low, r.High, r.Count, r.Reason = -1, measure, value, low, high, count, reason
	p.rows = append(p.rows, r)
}

func (p *page) none(measure, reason string) {
	p.add(measure, math.NaN(), math.NaN(), math.NaN(), 0, reason)
}

// each appends a row an image and one of their mean. why says why an image's value
// is NaN.
func (p *page) each(measure string, values []float64, why func(i int) string) error {
	for i, v := range values {
		r := p.base
		r.Image, r.Measure, r.Value, r.Low, r.High, r.Count = i, measure, v, math.NaN(), math.NaN(), 1
		if math.IsNaN(v) {
			r.Count, r.Reason = 0, why(i)
		}
		p.rows = append(p.rows, r)
	}
	mean, low, high, count, err := p.q.Bootstrap.Mean(values)
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

// reasonOf turns what is undefined into a reason.
func reasonOf(err error) (string, error) {
	if u, ok := err.(evaluate.Undefined); ok {
		return string(u), nil
	}
	return "", err
}

func (p *page) recognizability(ctx context.Context) error {
	const name = metamer.Recognizability
	c := p.u.judge.Card
	if c.Classes == 0 {
		p.none(name, c.Name+" has no classifier")
		return nil
	}
	for _, r := range []*reading{p.ref, p.met} {
		if err := r.finish(ctx); err != nil {
			return err
		}
	}
	if err := p.each(name, evaluate.Same(p.ref.classes, p.met.classes), func(int) string { return "the reference's logits are not numbers" }); err != nil {
		return err
	}
	labels, why := trueLabels(p.u.refs, c.Labels, c.Classes)
	noLabel := func(int) string { return "the image has no label" }
	if why != "" {
		p.none(name+"-true", why)
	} else if err := p.each(name+"-true", evaluate.Same(labels, p.met.classes), noLabel); err != nil {
		return err
	}
	if c.Classes != 1000 || !strings.HasPrefix(strings.ToLower(c.Labels), "imagenet") {
		return nil
	}
	if err := p.each(name+"-16", evaluate.Same(p.ref.categories, p.met.categories), func(int) string { return "the reference's logits are not finite" }); err != nil {
		return err
	}
	if why != "" {
		p.none(name+"-16-true", why)
		return nil
	}
	categories := make([]int, len(labels))
	for i, l := range labels {
		categories[i] = evaluate.CategoryOf(l)
	}
	return p.each(name+"-16-true", evaluate.Same(categories, p.met.categories), func(i int) string {
		if labels[i] < 0 {
			return noLabel(i)
		}
		return "the image's class is in none of the 16 categories"
	})
}

// trueLabels returns the images' labels, if they are classes of the observer's.
func trueLabels(set *images.Set, labels string, classes int) ([]int, string) {
	if !slices.ContainsFunc(set.Labels, func(l int) bool { return l >= 0 }) {
		return nil, "the images have no labels"
	}
	if len(set.ClassNames) != classes || (labels == "cifar10") != slices.Equal(set.ClassNames, images.CIFARClasses()) {
		return nil, fmt.Sprintf("the images' labels are not those of %s", labels)
	}
	return set.Labels, ""
}

func (p *page) success(ctx context.Context) error {
	values, err := p.ref.gram(ctx, false)
	if err != nil {
		return err
	}
	ranks, err := p.ref.gram(ctx, true)
	if err != nil {
		return err
	}
	if err := p.met.finish(ctx); err != nil {
		return err
	}
	null, err := evaluate.NullFrom(p.base.Observer, values, ranks, p.u.run.Recipe.WithDefaults().NullPairs, p.u.run.Recipe.Seed)
	if err != nil {
		return err
	}
	n := p.ref.n
	measures := []string{"success", "match/relative-l2", "match/pearson", "match/spearman", "match/snr"}
	got, reasons := make([][]float64, len(measures)), make([]string, n)
	for from := 0; from < n; from += p.ref.batch {
		to := min(from+p.ref.batch, n)
		a, err := p.ref.Read(ctx, from, to)
		if err != nil {
			return err
		}
		b, err := p.met.Read(ctx, from, to)
		if err != nil {
			return err
		}
		for i := range a {
			ev := evaluate.Judge(from+i, null, evaluate.NewVector(a[i]), evaluate.NewVector(b[i]), p.ref.class(from+i), p.met.class(from+i))
			pass := map[string]float64{"pass": 1, "fail": 0, "none": math.NaN()}[ev.Verdict]
			one := []float64{pass, ev.Loss, ev.Pearson, ev.Spearman, ev.SNR}
			if reasons[from+i] = "a single image has no null distribution"; ev.Loss == math.MaxFloat64 {
				reasons[from+i] = "the activations are not finite"
				for k := range one[1:] {
					one[1+k] = math.NaN()
				}
			}
			for k, v := range one {
				got[k] = append(got[k], v)
			}
		}
	}
	for k, m := range measures {
		if err := p.each(m, got[k], func(i int) string { return reasons[i] }); err != nil {
			return err
		}
	}
	return nil
}

// class of image i, -1 for an observer without a classifier.
func (r *reading) class(i int) int {
	if r.logits < 0 {
		return -1
	}
	return r.classes[i]
}

func (p *page) jsd(ref, met *evaluate.Matrix) error {
	j, err := evaluate.NewJSD(ref, met, p.q.Bins, p.q.Bootstrap)
	names := []string{"jsd/", "jsd-miller-madow/", "jsd-floor/", "jsd-nearest/"}
	reason, err := reasonOf(err)
	if err != nil {
		return err
	}
	nan := math.NaN()
	for i, name := range names {
		if reason != "" {
			p.none(name+ref.Kind, reason)
			continue
		}
		low, high, why := nan, nan, ""
		if i == 0 {
			low, high, why = j.Low, j.High, j.NoInterval
		}
		p.add(name+ref.Kind, []float64{j.Value, j.MillerMadow, j.Floor, j.Nearest}[i], low, high, ref.N, why)
	}
	return nil
}

func (p *page) rsa(ref, met *evaluate.Matrix) error {
	a, rank, noInterval, err := evaluate.RSA(ref, met, p.q.Bootstrap)
	reason, err := reasonOf(err)
	if err != nil {
		return err
	}
	if reason != "" {
		p.none("rsa/"+ref.Kind, reason)
		return nil
	}
	p.add("rsa/"+ref.Kind, a.Value, a.Low, a.High, ref.N, noInterval)
	p.add("rsa-rank/"+ref.Kind, rank, math.NaN(), math.NaN(), ref.N, "")
	return nil
}

func (p *page) cka(ctx context.Context) error {
	ref, err := p.ref.gram(ctx, false)
	if err != nil {
		return err
	}
	met, err := p.met.gram(ctx, false)
	if err != nil {
		return err
	}
	a, noInterval, err := evaluate.CKA(ref, met, p.q.Bootstrap)
	reason, err := reasonOf(err)
	if err != nil {
		return err
	}
	if reason != "" {
		p.none("cka", reason)
	} else {
		p.add("cka", a.Value, a.Low, a.High, ref.N, noInterval)
	}
	v, err := evaluate.CKADebiased(ref, met)
	if reason, err = reasonOf(err); err != nil {
		return err
	}
	if reason != "" {
		p.none("cka-debiased", reason)
	} else {
		p.add("cka-debiased", v, math.NaN(), math.NaN(), ref.N, "")
	}
	return nil
}

// means averages, image by image, over the members and over the other observers, and
// returns the means over all images with their intervals.
func means(run *metamer.Run, by []metamer.Rows, b evaluate.Bootstrap) (out metamer.Rows) {
	for _, member := range []bool{true, false} {
		var order []string
		sums, counts := map[string][]float64{}, map[string][]int{}
		for _, rows := range by {
			for _, r := range rows {
				if r.Image < 0 || r.Member != member || math.IsNaN(r.Value) {
					continue
				}
				if sums[r.Measure] == nil {
					order = append(order, r.Measure)
					sums[r.Measure], counts[r.Measure] = make([]float64, run.Recipe.Images.Count), make([]int, run.Recipe.Images.Count)
				}
				sums[r.Measure][r.Image] += r.Value
				counts[r.Measure][r.Image]++
			}
		}
		for _, m := range order {
			for i, n := range counts[m] {
				sums[m][i] /= float64(n) // NaN where there is none
			}
			row := metamer.Row{Run: run.ID, Set: setName(run.Recipe), Stage: run.Recipe.Stage, Observer: metamer.NonMembers, Member: member, Image: -1, Measure: m}
			if member {
				row.Observer = metamer.Members
			}
			var err error
			row.Value, row.Low, row.High, row.Count, err = b.Mean(sums[m])
			if err != nil {
				row.Reason, _ = reasonOf(err)
			}
			out = append(out, row)
		}
	}
	return out
}
