package engine

import (
	"math"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// means returns the means of by, whose rows have these keys, from the run's folder if
// they are kept there: their intervals take longer than all else of what is kept.
func (e *Engine) means(q Evaluation, p portrait, keys []string, by []metamer.Rows) metamer.Rows {
	if len(by) == 0 {
		return nil
	}
	at := rowKey{Format: rowFormat, Run: p.run.ID, Measure: "means", Bootstrap: q.Bootstrap, Of: keys}.beside(p.run)
	if rows := e.storedRows(at, q); rows != nil {
		for i := range rows {
			rows[i].Made = p.made
		}
		return rows
	}
	rows := means(p, by, evaluate.Bootstrap(q.Bootstrap))
	if len(rows) > 0 {
		storeRows(at, rows, q)
	}
	return rows
}

// means averages, image by image, over the members and over the other observers, and
// returns the means over all images with their intervals.
func means(p portrait, by []metamer.Rows, b evaluate.Bootstrap) (out metamer.Rows) {
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
					sums[r.Measure], counts[r.Measure] = make([]float64, p.run.Recipe.Images.Count), make([]int, p.run.Recipe.Images.Count)
				}
				sums[r.Measure][r.Image] += r.Value
				counts[r.Measure][r.Image]++
			}
		}
		for _, m := range order {
			for i, n := range counts[m] {
				sums[m][i] /= float64(n) // NaN where there is none
			}
			row := p.row()
			row.Observer, row.Member, row.Image, row.Measure = metamer.NonMembers, member, -1, m
			if member {
				row.Observer = metamer.Members
			}
			var err error
			row.Value, row.Low, row.High, row.Count, err = meanOf(b, m)(byReference(sums[m], p.run.Recipe.Variants.Each()))
			if err != nil {
				row.Reason, _ = reasonOf(err)
			}
			out = append(out, row)
		}
	}
	return out
}
