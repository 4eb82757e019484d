package study

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/figures"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// matchName is the table of match statistics, lossesName the figure of loss curves.
const (
	matchName  = "match"
	lossesName = "losses"
)

// Losses is the figure of loss curves, of all runs.
func (r *Result) Losses() (*figures.Figure, error) {
	if len(r.Runs) == 0 {
		return nil, fmt.Errorf("figures: %s shows traces, and no run of these rows is in the store", lossesName)
	}
	return figures.Losses(r.Study(), r.alone()...)
}

// tests reports whether any run was tested against a null distribution.
func (r *Result) tests() bool {
	return slices.ContainsFunc(r.Runs, func(run *metamer.Run) bool {
		return slices.ContainsFunc(run.Nulls, func(n metamer.Null) bool { return n.Untested() == "" })
	})
}

// Match is the table of match statistics: how close the metamers of each run come to
// their references at each member, and what that is held against.
func (r *Result) Match() *figures.Table {
	pair, test := "", "The relative L2 distance is 0 for equal activations. "
	if r.tests() {
		pair = "for the most similar pair of different images of the null distribution, "
		test = "The relative L2 distance is 0 for equal activations; that of a pair follows from its SNR (10^(−SNR/20)). An image is a metamer when Pearson, Spearman and SNR lie above the whole null distribution and the class is the same, for every member. p is the share of null pairs that reach the statistic of an image ((k+1)/(n+1)), of the image and statistic where it is largest. "
	}
	t := &figures.Table{Name: matchName, Title: "Match statistics",
		Caption: "How close the activations of metamers come to those of their references, for each member of each model set: medians over images, of the relative L2 distance also the smallest and the largest. " +
			"Beside the distance stands what the same network gives for the initial image, " + pair + "and for a JPEG copy of each reference (quality " + fmt.Sprint(jpegQuality) + ", median). " +
			test + capital(r.nulls()) + ".",
		Columns: []figures.Column{{Head: "model set"}, {Head: "stage"}, {Head: "member"}, {Head: "metamers", Right: true}, {Head: pngHead, Right: true}, {Head: "same class", Right: true},
			{Head: "relative L2", Right: true}, {Head: "initial image", Right: true}, {Head: "null: nearest", Right: true}, {Head: "JPEG copy", Right: true},
			{Head: "Pearson", Right: true}, {Head: "null: largest", Right: true}, {Head: "Spearman", Right: true}, {Head: "null: largest", Right: true}, {Head: "SNR, dB", Right: true}, {Head: "null: largest", Right: true}, {Head: "largest p", Right: true}}}
	if r.Plan.Pairs {
		t.Caption += " Runs against another set stand in Table 6."
	} else if slices.ContainsFunc(r.Runs, func(run *metamer.Run) bool { return run.Recipe.Against != nil }) {
		t.Caption += " Models that the metamers are to differ for (against) follow the members; their images are metamers that are none for any of these models."
	}
	s := r.Study()
	for _, run := range r.alone() {
		for m, name := range run.Recipe.TappedNames() {
			c := closeness(run, m)
			stage, shown, passed := run.Recipe.StageOf(m), name, verdict(run)
			if m >= len(run.Recipe.Models) {
				shown, passed = "against "+name, apart(run)
			}
			row := []string{s.Label(run.Recipe.ModelNames()), stage, shown, passed, pngVerdict(run), fmt.Sprintf("%d of %d", c.same, len(c.distance)),
				spanned(c.distance, "%.3f"), figure(started(run, m), "%.3f"), figure(c.nearest, "%.3f"), figure(r.jpeg(name, stage), "%.3f"),
				figure(median(c.pearson), "%.3f"), figure(c.null.Pearson, "%.3f"), figure(median(c.spearman), "%.3f"), figure(c.null.Spearman, "%.3f"), figure(median(c.snr), "%.1f"), figure(c.null.SNR, "%.1f"), figure(c.p, "%.2g")}
			t.Rows = append(t.Rows, row)
		}
	}
	without := func(gone func(head string) bool) {
		for i := len(t.Columns) - 1; i >= 0; i-- {
			if gone(t.Columns[i].Head) {
				t.Columns = slices.Delete(t.Columns, i, i+1)
				for j := range t.Rows {
					t.Rows[j] = slices.Delete(t.Rows[j], i, i+1)
				}
			}
		}
	}
	if !slices.ContainsFunc(r.Runs, func(run *metamer.Run) bool { _, tested := run.PNGTally(); return tested > 0 }) {
		without(func(head string) bool { return head == pngHead })
	}
	if !r.tests() { // nothing stands in the columns of the null distribution
		without(func(head string) bool { return strings.HasPrefix(head, "null: ") || head == "largest p" })
	}
	return t
}

// verdict says how many images of a run that are tested are metamers for every member.
func verdict(run *metamer.Run) string {
	pass, tested := run.Tally()
	if tested == 0 {
		return metamer.NotTested
	}
	return fmt.Sprintf("%d of %d", pass, tested)
}

// apart says how many images of a run that are tested are metamers for every member and for
// none of the models that it is against.
func apart(run *metamer.Run) string {
	parted, tested := run.Parted()
	if tested == 0 {
		return metamer.NotTested
	}
	return fmt.Sprintf("%d of %d apart", parted, tested)
}

// pngHead is the column of images as PNG files hold them.
const pngHead = "as 8-bit PNG"

// pngVerdict is verdict of the images as PNG files hold them.
func pngVerdict(run *metamer.Run) string {
	pass, tested := run.PNGTally()
	if tested == 0 {
		return "–"
	}
	return fmt.Sprintf("%d of %d", pass, tested)
}

// match holds the match statistics of all images of a run at one of Recipe.Tapped.
type match struct {
	distance, pearson, spearman, snr []float64
	same                             int
	p                                float64      // the largest empirical p of an image and statistic; NaN: there is none
	null                             metamer.Null // NaN: there is none
	nearest                          float64      // relative L2 distance of its most similar pair
}

func closeness(run *metamer.Run, member int) match {
	nan := math.NaN()
	name, statistics, nulls := run.Recipe.Tapped()[member].Name, run.Statistics, run.Nulls
	if member >= len(run.Recipe.Models) {
		statistics, nulls = run.Against, run.AgainstNulls
	}
	m := match{p: nan, null: metamer.Null{Pearson: nan, Spearman: nan, SNR: nan}, nearest: nan}
	for _, e := range statistics {
		if e.Member != name {
			continue
		}
		m.distance, m.pearson, m.spearman, m.snr = append(m.distance, e.Loss), append(m.pearson, e.Pearson), append(m.spearman, e.Spearman), append(m.snr, e.SNR)
		if e.SameClass {
			m.same++
		}
		if p := max(e.PPearson, e.PSpearman, e.PSNR); p > 0 && !(p <= m.p) {
			m.p = p
		}
	}
	for _, n := range nulls {
		if n.Member == name && n.Untested() == "" {
			m.null, m.nearest = n, math.Pow(10, -n.SNR/20)
		}
	}
	return m
}

// nulls says which null distributions the runs were tested against, or why they were not.
func (r *Result) nulls() string {
	if len(r.Runs) == 0 {
		return "there is no null distribution"
	}
	return "null distribution: " + figures.Vary(r.Runs, func(run *metamer.Run) string {
		text := figures.NullText(run)
		if len(run.Nulls) > 0 {
			if why := run.Nulls[0].Untested(); why != "" && run.Nulls[0].Set != metamer.NoNull {
				text += " (not tested: " + why + ")"
			}
		}
		return text
	})
}

// spanned is a median with the smallest and largest value.
func spanned(v []float64, format string) string {
	if len(v) == 0 {
		return "–"
	}
	if len(v) == 1 {
		return fmt.Sprintf(format, v[0])
	}
	return fmt.Sprintf(format+" ("+format+" to "+format+")", median(v), slices.Min(v), slices.Max(v))
}

// figure is a number, or a dash where there is none.
func figure(v float64, format string) string {
	if math.IsNaN(v) {
		return "–"
	}
	return fmt.Sprintf(format, v)
}

func median(v []float64) float64 {
	sorted := slices.DeleteFunc(slices.Clone(v), math.IsNaN)
	slices.Sort(sorted)
	return figures.Quantile(0.5, sorted)
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
