// Package claims tests the paper's claims on rows. Each claim has a number with its
// interval and a verdict. It links no GoMLX.
package claims

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// The verdicts. A claim is supported when the 95 % interval lies above 0 and the
// test's p, corrected for the number of claims that could be tested (Holm), is at most
// 0.05; it is not supported when the interval lies below 0 with such a p (the data say
// the opposite). A claim that these rows cannot decide, whatever their values, is not
// tested; anything else is undecided.
const (
	Supported    = "supported"
	NotSupported = "not supported"
	Undecided    = "undecided"
	NotTested    = "not tested"
)

// minUnits is the smallest number of differences that can decide a claim: 7 that all
// agree have a p of 2/2⁷ = .016 in Wilcoxon's test, which Holm's correction for five
// claims takes above .05.
const minUnits = 8

// Claim is a claim of Boehm et al. 2025 and what the rows say.
type Claim struct {
	Name      string  // such as "ensembles"
	Text      string  // the claim
	Number    float64 // the effect, positive where the claim holds; NaN: nothing to compare
	Low, High float64 // 95 % interval
	Unit      string  // of Number
	P         float64 // two-sided Wilcoxon signed-rank test of the same differences, corrected (Holm)
	Test      string  // what is compared with what, and over what the interval is
	Basis     string  // how much there was to compare
	Needs     string  // what rows that test the claim have
	Verdict   string
}

// Options change how claims are tested.
type Options struct {
	Bootstrap evaluate.Bootstrap
	JSD       string // measure of the fifth claim, default metamer.JSD
}

// Of tests the five claims. Rows must hold single images (as Engine.Evaluate gives
// them) and one run for each model set and stage: unlike settings are not mixed.
// cards say which models are CNNs or transformers, and how they were trained; a set
// with a model without a card takes no part in claims about kinds.
func Of(rows metamer.Rows, cards map[string]*card.Card, o Options) ([]Claim, error) {
	if o.JSD == "" {
		o.JSD = metamer.JSD
	}
	t, err := newTable(rows, cards)
	if err != nil {
		return nil, err
	}
	list := []Claim{t.ensembles(o), t.late(o), t.natural(o), t.transfer(o), t.divergence(o)}
	p := make([]float64, len(list))
	for i, c := range list {
		p[i] = c.P
	}
	for i, v := range evaluate.Holm(p) {
		list[i].P = v
		list[i].decide()
	}
	return list, nil
}

func (c *Claim) decide() {
	switch {
	case math.IsNaN(c.P):
		c.Verdict = NotTested
	case c.Low > 0 && c.P <= 0.05:
		c.Verdict = Supported
	case c.High < 0 && c.P <= 0.05:
		c.Verdict = NotSupported
	default:
		c.Verdict = Undecided
	}
}

// String is the claim on one line.
func (c Claim) String() string {
	if c.Verdict == NotTested {
		return fmt.Sprintf("%s: %s; this needs %s", c.Text, c.Verdict, c.Needs)
	}
	return fmt.Sprintf("%s: %s (%+.3f %s, 95 %% interval %+.3f to %+.3f, p = %.2g; %s)", c.Text, c.Verdict, c.Number, c.Unit, c.Low, c.High, c.P, c.Basis)
}

// settle computes number, interval and p from differences, one an image (or another
// unit that is resampled). NaN: no comparison there. With fewer than minUnits there is
// no p.
func (c *Claim) settle(d []float64, o Options) {
	c.Number, c.Low, c.High, c.P = math.NaN(), math.NaN(), math.NaN(), math.NaN()
	zero := make([]float64, len(d))
	mean, low, high, n, err := evaluate.Difference(d, zero, o.Bootstrap)
	c.Number = mean
	if err == nil {
		c.Low, c.High = low, high
	}
	if n < minUnits {
		return
	}
	if _, p, err := evaluate.Wilcoxon(d); err == nil {
		c.P = p
	} else { // no difference at all
		c.P = 1
	}
}

// Tested are the claims that the rows can decide.
func Tested(list []Claim) []Claim {
	return slices.DeleteFunc(slices.Clone(list), func(c Claim) bool { return c.Verdict == NotTested })
}

// Untested says in one line which claims of the paper are not tested, and what would
// test them; "" if all are.
func Untested(list []Claim) string {
	var parts []string
	for _, c := range list {
		if c.Verdict == NotTested {
			here := ""
			if !strings.HasPrefix(c.Basis, "no ") {
				here = "; here: " + c.Basis
			}
			parts = append(parts, fmt.Sprintf("“%s” (needs %s%s)", c.Text, c.Needs, here))
		}
	}
	switch len(parts) {
	case 0:
		return ""
	case len(list):
		return fmt.Sprintf("This plan does not test the paper's claims. They need at least %d images (JSD %d), an ensemble with one of its members as a set of its own, a set of CNNs and one of transformers with as many members and the same training, and observers outside these sets.", minUnits, metamer.MinImages)
	}
	return "Not tested by this plan: " + strings.Join(parts, "; ") + "."
}
