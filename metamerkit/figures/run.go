package figures

import (
	"fmt"
	"image"
	"math"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Contact draws the contact sheet of runs on the same references: the reference
// images, then a row a run with its verdicts. A run with variants has a row for each of them and
// one of their mean.
func Contact(title string, refs *images.Set, runs ...*metamer.Run) (image.Image, error) {
	if refs.Copies > 1 {
		refs = originals(refs)
	}
	s := Sheet{Title: title, Size: refs.Size, Columns: refs.Titles(), Rows: []Row{{Label: "reference", Pixels: refs.Pixels}}}
	for _, r := range runs {
		each := r.Recipe.Variants.Each()
		if r.Recipe.Images.Count != each*refs.Len() || r.Recipe.Images.Size != refs.Size {
			return nil, fmt.Errorf("figures: run %s has %d images of %d², the references are %d of %d²", r.ID, r.Recipe.Images.Count, r.Recipe.Images.Size, refs.Len(), refs.Size)
		}
		row := Row{
			Label:  Members(r.Recipe.ModelNames()) + r.Recipe.Opponents(),
			Sub:    fmt.Sprintf("%s · %s, %d steps · %s", r.Recipe.Stage, r.Recipe.Optimizer.Name, r.StepsRun, passed(r)),
			Pixels: r.Metamers, Marks: marks(r), Notes: notes(r),
		}
		if each == 1 {
			s.Rows = append(s.Rows, row)
			continue
		}
		s.Rows = append(s.Rows, variantRows(row, each, refs.Size)...)
	}
	return s.Render()
}

// passed says how many images pass.
func passed(r *metamer.Run) string {
	pass, tested := r.Tally()
	if tested == 0 {
		return metamer.NotTested
	}
	if r.Recipe.Against != nil {
		parted, _ := r.Parted()
		return fmt.Sprintf("%d of %d pass, %d apart", pass, tested, parted)
	}
	return fmt.Sprintf("%d of %d pass", pass, tested)
}

// marks are the verdicts on the images of a run.
func marks(r *metamer.Run) (out []Mark) {
	if r.Recipe.Against != nil {
		for _, o := range r.Apart() {
			out = append(out, map[string]Mark{metamer.Pass: Apart, metamer.Fail: NotApart, metamer.NotTested: NotTested}[o])
		}
		return out
	}
	for _, o := range r.Outcomes() {
		out = append(out, map[string]Mark{metamer.Pass: Pass, metamer.Fail: Fail, metamer.NotTested: NotTested}[o])
	}
	return out
}

// distances are the relative L2 distances of each image, one a member, in their order.
func distances(r *metamer.Run) [][]float64 {
	return distancesOf(r, r.Recipe.ModelNames(), r.Statistics)
}

// distancesOf are those of some models.
func distancesOf(r *metamer.Run, models []string, statistics []metamer.MatchStatistics) [][]float64 {
	out := make([][]float64, r.Recipe.Images.Count)
	for _, m := range models {
		for _, e := range statistics {
			if e.Member == m {
				out[e.Image] = append(out[e.Image], e.Loss)
			}
		}
	}
	return out
}

// notes write the distances below the images of a contact sheet; of a run against other models
// the largest of a member and, behind a bar, the smallest of these models; nil for a run without.
func notes(r *metamer.Run) []string {
	out, some := make([]string, r.Recipe.Images.Count), false
	others := distancesOf(r, r.Recipe.Against.Names(), r.Against)
	for i, of := range distances(r) {
		var words []string
		for _, d := range of {
			words = append(words, short(d))
		}
		if out[i] = strings.Join(words, " "); len(of) > 3 {
			out[i] = "at most " + short(slices.Max(of))
		}
		if len(others[i]) > 0 {
			out[i] = short(slices.Max(of)) + " | " + short(slices.Min(others[i]))
		}
		some = some || len(of) > 0
	}
	if !some {
		return nil
	}
	return out
}

// short is a number in two or three places: .07, .007, <.001.
func short(v float64) string {
	switch {
	case math.IsNaN(v) || v >= 100: // of activations that are not finite
		return "–"
	case v >= 9.95:
		return fmt.Sprintf("%.0f", v)
	case v == 0:
		return "0"
	case v < 0.0005:
		return "<.001"
	case v < 0.00995:
		return fmt.Sprintf("%.3f", v)[1:]
	case v < 0.995:
		return fmt.Sprintf("%.2f", v)[1:]
	}
	return fmt.Sprintf("%.1f", v)
}
