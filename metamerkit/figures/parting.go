package figures

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// parted is what rows say of the metamers for one set against another at a stage.
type parted struct {
	difference metamer.Row // 1 − Pearson correlation at the other set, over the images that match
	share      metamer.Row // of the images that are apart
	images     int         // of the run
}

// partings finds what rows say of pairs, by set, other set and stage.
func (s *Study) partings() map[[3]string]*parted {
	out := map[[3]string]*parted{}
	for _, r := range s.Rows {
		if r.Image >= 0 || r.Observer != "" || r.Measure != "apart" && r.Measure != "apart/correlation" {
			continue
		}
		others := r.Against()
		if others == nil {
			continue
		}
		key := [3]string{r.Set, SetName(others), r.Stage}
		p := out[key]
		if p == nil {
			p = &parted{}
			out[key] = p
		}
		if made, err := r.Made.Recipe(); err == nil {
			p.images = made.Images.Count
		}
		if r.Measure == "apart" {
			p.share = r
		} else {
			p.difference = r
		}
	}
	return out
}

// pairedSets are the model sets that have metamers against another one, in their order.
func (s *Study) pairedSets(found map[[3]string]*parted) (out [][]string) {
	for _, set := range s.sets() {
		for key := range found {
			if name := SetName(set); key[0] == name || key[1] == name {
				out = append(out, set)
				break
			}
		}
	}
	return out
}

// own is 1 − Pearson correlation of a set's own metamers, made against none, at its members.
func (s *Study) own(set []string, stage string) (metamer.Row, bool) {
	r, ok := s.find("match/pearson", set, stage, metamer.Members)
	r.Value, r.Low, r.High = 1-r.Value, 1-r.High, 1-r.Low
	return r, ok
}

// symmetric returns the mean of both directions for every two of n things, and false if one is missing.
func symmetric(n int, of func(i, j int) (float64, bool)) ([][]float64, bool) {
	d := make([][]float64, n)
	for i := range d {
		d[i] = make([]float64, n)
		for j := range i {
			a, ok := of(i, j)
			b, also := of(j, i)
			if !ok || !also {
				return nil, false
			}
			d[i][j] = (a + b) / 2
			d[j][i] = d[i][j]
		}
	}
	return d, true
}

// divergence is the mean JSD of a set's own metamers by the members of another.
func (s *Study) divergence(set, other []string, stage string) (mean float64, ok bool) {
	for _, o := range other {
		r, ok := s.find(metamer.JSD, set, stage, o)
		if !ok {
			return 0, false
		}
		mean += r.Value / float64(len(other))
	}
	return mean, true
}

// agreement is Spearman's rank correlation of two symmetric distances over all pairs.
func agreement(a, b [][]float64) float64 {
	var x, y []float32
	for i := range a {
		for j := range i {
			x, y = append(x, float32(a[i][j])), append(y, float32(b[i][j]))
		}
	}
	return evaluate.Spearman(evaluate.NewVector(x), evaluate.NewVector(y))
}

// Partings is Table 6: how far the metamers of each set are driven apart in each other set.
func Partings(s *Study) *Table {
	t := &Table{Name: "table6", Title: "Who parts from whom", Caption: s.caption("Metamers for one model set that differ as much as can be for another. Metamers: images that match for every member of the first. Apart: the share of images that are metamers for every member of the first and for none of the second. 1 − r: mean over the metamers, r is the Pearson correlation of the second set's activations with those of the reference. With 95 % intervals over images."),
		Columns: []Column{{Head: "metamers for"}, {Head: "stage"}, {Head: "against"}, {Head: "metamers", Right: true}, {Head: "apart", Right: true}, {Head: "1 − r", Right: true}}}
	found := s.partings()
	interval := func(r metamer.Row) string {
		switch {
		case math.IsNaN(r.Value) || r.Measure == "":
			return "–"
		case r.Low <= r.High:
			return fmt.Sprintf("%.3f (%.3f–%.3f)", r.Value, r.Low, r.High)
		}
		return fmt.Sprintf("%.3f", r.Value)
	}
	sets := s.pairedSets(found)
	for _, set := range sets {
		for _, stage := range s.stages() {
			for _, other := range sets {
				p := found[[3]string{SetName(set), SetName(other), stage}]
				if p == nil {
					continue
				}
				tested := metamer.NotTested
				if p.share.Count > 0 {
					tested = fmt.Sprintf("%d of %d", p.difference.Count, p.images)
				}
				t.Rows = append(t.Rows, []string{s.Label(set), stage, s.Label(other), tested, interval(p.share), interval(p.difference)})
			}
		}
	}
	return t
}

// Parting draws Figure 8: how far metamers for one model set (rows) are driven apart in another
// (columns) while the match is held, a panel a stage, with a clustering of the sets by it and,
// where rows have both, one by the Jensen-Shannon divergence of the sets' own metamers.
func Parting(s *Study) (*Figure, error) {
	found := s.partings()
	m := &partingMap{study: s, found: found}
	sets := s.pairedSets(found)
	top := 0.0
	var compared []string
	for _, stage := range s.stages() {
		p := &partingPanel{stage: stage, sets: sets}
		any := false
		for _, set := range sets {
			for _, other := range sets {
				if at := found[[3]string{SetName(set), SetName(other), stage}]; at != nil {
					any = true
					if v := at.difference.Value; !math.IsNaN(v) {
						top = max(top, v)
					}
				}
			}
		}
		if !any {
			continue
		}
		apart, ok := symmetric(len(sets), func(i, j int) (float64, bool) {
			at := found[[3]string{SetName(sets[i]), SetName(sets[j]), stage}]
			return differenceOf(at)
		})
		jsd, both := symmetric(len(sets), func(i, j int) (float64, bool) { return s.divergence(sets[i], sets[j], stage) })
		if ok && len(sets) > 2 {
			p.tree = newTree(apart, "mean of 1 − r")
			p.sets = p.tree.ordered(sets)
		}
		if both && len(sets) > 2 {
			p.jsd = newTree(jsd, "JSD, bits")
			p.jsdSets = p.jsd.ordered(sets)
		}
		if p.tree != nil && p.jsd != nil && len(sets) > 3 {
			compared = append(compared, fmt.Sprintf("%s %.2f", stage, agreement(apart, jsd)))
		}
		m.panels = append(m.panels, p)
	}
	if err := need(len(m.panels) > 0, "the map of partings", "measure apart of a set against another (a plan with pairs: true)"); err != nil {
		return nil, err
	}
	m.max = math.Ceil(max(top, 0.05)*10) / 10
	m.lay()
	text := "How far metamers for one model set (rows) are driven apart in another (columns) while the match is held: 1 − Pearson correlation of the other set's activations with those of the reference, the mean over the images that are metamers for every member of the row, with its 95 % interval over images. Where not all images are, their number stands below; a cell is crossed out where none is, or where the sets share a model. Dashed outlines: the same of the set's own metamers, made against no other set, at its members."
	if slices.ContainsFunc(m.panels, func(p *partingPanel) bool { return p.tree != nil }) {
		text += " Trees: average linkage of the mean of both directions"
		if slices.ContainsFunc(m.panels, func(p *partingPanel) bool { return p.jsd != nil }) {
			text += ", and of the Jensen-Shannon divergence of the sets' own metamers"
		}
		text += "."
	}
	if compared != nil {
		n := len(sets) * (len(sets) - 1) / 2
		text += fmt.Sprintf(" Spearman's rank correlation of the two distances over %d pairs: %s.", n, strings.Join(compared, ", "))
	}
	return &Figure{Name: "figure8", Title: "Who parts from whom", Caption: s.caption(text), Width: m.width, Height: m.height, draw: m.draw}, nil
}

// differenceOf is how far a pair is apart, false where that is not known.
func differenceOf(p *parted) (float64, bool) {
	if p == nil || p.difference.Measure == "" || math.IsNaN(p.difference.Value) {
		return 0, false
	}
	return p.difference.Value, true
}
