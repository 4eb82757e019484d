package figures

import (
	"fmt"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
)

// originals are the images of a set that has each several times, once.
func originals(set *images.Set) *images.Set {
	out := *set
	out.Copies, out.First, out.Of, out.Names, out.Labels, out.Pixels = 0, 0, 0, nil, nil, nil
	for i := 0; i < set.Len(); i += set.Copies {
		out.Names, out.Labels, out.Pixels = append(out.Names, set.Names[i]), append(out.Labels, set.Labels[i]), append(out.Pixels, set.Image(i)...)
	}
	return &out
}

// variantRows divides the row of a run, in which the variants of a reference follow each
// other, into one for each variant and one of their mean.
func variantRows(run Row, each, size int) (rows []Row) {
	per := size * size * 3
	n := len(run.Pixels) / per / each
	mean := Row{Label: "mean of the variants", Pixels: make([]float32, n*per)}
	for v := range each {
		row := Row{Label: fmt.Sprintf("variant %d", v+1)}
		if v == 0 {
			row.Label, row.Sub = run.Label, run.Sub
		}
		for i := range n {
			at := i*each + v
			image := run.Pixels[at*per : (at+1)*per]
			row.Pixels = append(row.Pixels, image...)
			for k, x := range image {
				mean.Pixels[i*per+k] += x / float32(each)
			}
			if run.Marks != nil {
				row.Marks = append(row.Marks, run.Marks[at])
			}
			if run.Notes != nil {
				row.Notes = append(row.Notes, run.Notes[at])
			}
		}
		rows = append(rows, row)
	}
	return append(rows, mean)
}
