package figures

import (
	"fmt"
	"image"
	"math"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
)

// DistortionRMS is the usual amplitude with which directions are shown: the root mean square
// of the change of pixels in [0,1].
const DistortionRMS = 0.1

// DistortionSheet shows reference images with the directions found for the first of them:
// each alone on grey, added, and subtracted, all of one length, with the members'
// sensitivities below.
func DistortionSheet(refs *images.Set, stage string, found []api.Distortions, rms float64) (image.Image, error) {
	if len(found) == 0 || len(found) > refs.Len() {
		return nil, fmt.Errorf("figures: distortions of %d images of %d, expected at least one", len(found), refs.Len())
	}
	n, per := len(found), refs.Size*refs.Size*3
	var names []string
	for _, m := range found[0].Members {
		names = append(names, m.Model)
	}
	s := Sheet{
		Title: fmt.Sprintf("Distortions at %s: most and least noticed by {%s}", stage, strings.Join(names, ", ")),
		Size:  refs.Size, Columns: refs.Titles()[:n],
		Rows: []Row{{Label: "reference", Pixels: refs.Pixels[:n*per]}},
	}
	type kind struct {
		label string
		of    func(api.Distortions) *api.Distortion
	}
	kinds := []kind{
		{"most noticed", func(d api.Distortions) *api.Distortion { return &d.Most }},
		{"least noticed", func(d api.Distortions) *api.Distortion { return &d.Least }},
	}
	if found[0].Pair != nil {
		kinds = append(kinds,
			kind{"pair, first", func(d api.Distortions) *api.Distortion { return &d.Pair.First }},
			kind{"pair, second", func(d api.Distortions) *api.Distortion { return &d.Pair.Second }})
	}
	for _, k := range kinds {
		alone, plus, minus := Row{Label: k.label, Sub: "alone, on grey"}, Row{Sub: "added"}, Row{Sub: "subtracted"}
		for i, d := range found {
			of := k.of(d)
			if len(of.Direction) != per {
				return nil, fmt.Errorf("figures: a direction has %d values, expected %d for %d² pixels", len(of.Direction), per, refs.Size)
			}
			scale := float32(rms * math.Sqrt(float64(per))) // directions have the length 1
			for j, x := range of.Direction {
				ref, x := refs.Image(i)[j], scale*x
				alone.Pixels = append(alone.Pixels, clamp(.5+x))
				plus.Pixels = append(plus.Pixels, clamp(ref+x))
				minus.Pixels = append(minus.Pixels, clamp(ref-x))
			}
			var note []string
			for k, v := range of.Sensitivities {
				note = append(note, percent(v/d.Members[k].Largest))
			}
			alone.Notes = append(alone.Notes, strings.Join(note, " "))
		}
		s.Rows = append(s.Rows, alone, plus, minus)
	}
	s.Notes = fmt.Sprintf("below: sensitivity of each member, %% of its largest; directions have a root mean square of %g", rms)
	return s.Render()
}

// percent is a share in few letters.
func percent(x float64) string {
	if x < .01 {
		return "<1"
	}
	return fmt.Sprintf("%.0f", 100*x)
}

func clamp(x float32) float32 { return min(max(x, 0), 1) }
