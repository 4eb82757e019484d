package study

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/figures"
)

// distortionsName is the table of distortions.
const distortionsName = "distortions"

// DistortionsTable lists every direction with each member's sensitivity and its residual.
func (r *Result) DistortionsTable() *figures.Table {
	t := &figures.Table{Name: distortionsName, Title: "Distortions",
		Caption: "Directions of pixels that each set notices most and least, and the pair that separates its members best. " +
			"The eigenvalue is the mean over members of the squared sensitivity, each by the member's largest. The residual is ‖Fv − λv‖ by the largest eigenvalue; of the pair it is what the last ten products added to the variance of the log ratios, by itself. " +
			"Products with JᵀJ are those of each member in the search. Sensitivities are ‖Jv‖/‖a‖, in brackets in % of the member's largest.",
		Columns: []figures.Column{{Head: "model set"}, {Head: "stage"}, {Head: "image"}, {Head: "direction"}, {Head: "eigenvalue", Right: true}, {Head: "residual", Right: true}, {Head: "products", Right: true}, {Head: "sensitivity of each member"}}}
	label := r.Study().Label
	for _, c := range r.Distortions {
		for _, d := range c.Images {
			row := func(what string, of api.Distortion, residual float64, converged bool) {
				var each []string
				for k, s := range of.Sensitivities {
					each = append(each, fmt.Sprintf("%s %.3g (%.3g %%)", d.Members[k].Model, s, 100*s/d.Members[k].Largest))
				}
				left := fmt.Sprintf("%.1g", residual)
				if !converged {
					left += ", not converged"
				}
				t.Rows = append(t.Rows, []string{label(c.Set), c.Stage, d.Image, what, fmt.Sprintf("%.3g", of.Eigenvalue), left, strconv.Itoa(of.Products), strings.Join(each, "; ")})
			}
			row("most noticed", d.Most, d.Most.Residual, d.Most.Converged)
			row("least noticed", d.Least, d.Least.Residual, d.Least.Converged)
			if p := d.Pair; p != nil {
				row(fmt.Sprintf("pair, first (spread of log ratios %.3g)", p.Spread), p.First, p.Gain, p.Converged)
				row("pair, second", p.Second, p.Gain, p.Converged)
			}
		}
	}
	return t
}

// distortionSheets writes a sheet of each set at each stage and returns them in small.
func (r *Result) distortionSheets(dir string) (out []sheet, err error) {
	if len(r.Distortions) == 0 {
		return nil, nil
	}
	refs, err := r.Plan.distorted(r.Images)
	if err != nil {
		return nil, fmt.Errorf("study: %w", err)
	}
	for _, c := range r.Distortions {
		img, err := figures.DistortionSheet(refs, c.Stage, c.Images, figures.DistortionRMS)
		if err != nil {
			return nil, err
		}
		s, err := writeSheet(dir, "distortions_"+strings.Join(c.Set, "_")+"_"+c.Stage, r.Study().Label(c.Set)+", "+c.Stage, img)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// Undistorted says which distortions could not be computed, and why.
func (r *Result) Undistorted() []string { return r.undistorted }
