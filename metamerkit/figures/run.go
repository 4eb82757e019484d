package figures

import (
	"fmt"
	"image"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Contact draws the contact sheet of runs on the same references: the reference
// images, then a row a run with its verdicts.
func Contact(title string, refs *images.Set, runs ...*metamer.Run) (image.Image, error) {
	s := Sheet{Title: title, Size: refs.Size, Rows: []Row{{Label: "reference", Pixels: refs.Pixels}}}
	for i := range refs.Len() {
		name := refs.Class(i)
		if name == "" {
			name = refs.Names[i]
		}
		s.Columns = append(s.Columns, name)
	}
	for _, r := range runs {
		if r.Recipe.Images.Count != refs.Len() || r.Recipe.Images.Size != refs.Size {
			return nil, fmt.Errorf("figures: run %s has %d images of %d², the references are %d of %d²", r.ID, r.Recipe.Images.Count, r.Recipe.Images.Size, refs.Len(), refs.Size)
		}
		var marks []Mark
		for _, ok := range r.Passed() {
			if ok {
				marks = append(marks, Pass)
			} else {
				marks = append(marks, Fail)
			}
		}
		s.Rows = append(s.Rows, Row{
			Label:  strings.Join(r.Recipe.ModelNames(), " + "),
			Sub:    fmt.Sprintf("%s · %s, %d steps · %d of %d pass", r.Recipe.Stage, r.Recipe.Optimizer.Name, r.StepsRun, r.PassCount(), refs.Len()),
			Pixels: r.Metamers, Marks: marks,
		})
	}
	return s.Render()
}
