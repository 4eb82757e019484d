package metamerkit

import (
	"fmt"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/errand"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/table"
)

// Images is an image set that shows itself as a contact sheet.
type Images struct{ *metamer.ImageSet }

// OpenImages opens an image set: photos[:N] (the embedded photographs), cifar10[:N],
// a folder or files. Spaces separate several files; a path with spaces stands alone or in
// quotes. size is the pixels a side; without it CIFAR-10 has 32, all else 224.
func OpenImages(spec string, size ...int) (Images, error) {
	q := errand.Open{Spec: []string{spec}}
	if name, _, _ := strings.Cut(spec, ":"); len(size) > 0 && name != "cifar10" {
		q.Size = size[0]
	}
	r, err := do(Context(), errand.Request{Open: &q})
	if err != nil {
		return Images{}, err
	}
	s, err := r.Images.Set()
	return Images{s}, err
}

// MIMEBundle shows the images with their classes or names.
func (s Images) MIMEBundle() (map[string][]byte, error) {
	per := 12
	if s.Size > 64 {
		per = 6
	}
	return drawn(errand.Drawing{Sheet: fmt.Sprintf("%s: %d images of %d²", s.Name, s.Len(), s.Size), PerLine: per, Images: errand.PackImages(s.ImageSet)}, s.String())
}

func (s Images) String() string {
	return fmt.Sprintf("%s: %d images of %d² pixels", s.Name, s.Len(), s.Size)
}

// drawn has a picture drawn for a cell.
func drawn(q errand.Drawing, text string) (map[string][]byte, error) {
	r, err := do(Context(), errand.Request{Draw: &q})
	if err != nil {
		return nil, err
	}
	return map[string][]byte{"image/png": r.Figure.Data, "text/plain": []byte(text)}, nil
}

// Run is a run with its references, which shows itself as a contact sheet.
type Run struct {
	*metamer.Run
	References Images
}

// MIMEBundle shows references, metamers and verdicts.
func (r *Run) MIMEBundle() (map[string][]byte, error) {
	p := errand.PackRun(r.Run)
	p.Start, p.Run.Trace = nil, metamer.Trace{} // not drawn
	return drawn(errand.Drawing{Sheet: "Metamers of " + r.References.Name, Images: errand.PackImages(r.References.ImageSet), Run: p}, r.String())
}

func (r *Run) String() string {
	s := fmt.Sprintf("run %s of {%s} at %s: %d of %d images are metamers for every member", r.ID, strings.Join(r.Recipe.ModelNames(), ", "), r.Recipe.Stage, r.PassCount(), r.Recipe.Images.Count)
	if r.Stopped != "" {
		s += "; " + r.Stopped
	}
	return s
}

// Verdicts is the evidence as a table: for each member the means over the images,
// beside the null distribution's largest values.
func (r *Run) Verdicts() *Table {
	t := &Table{Name: "verdicts", Title: "Evidence", Caption: r.String() + ". In brackets: the largest value of random pairs of different images.",
		Columns: []table.Column{{Head: "member"}, {Head: "relative L2", Right: true}, {Head: "Pearson", Right: true}, {Head: "Spearman", Right: true}, {Head: "SNR (dB)", Right: true}, {Head: "same class", Right: true}, {Head: "pass", Right: true}}}
	n := float64(r.Recipe.Images.Count)
	for _, null := range r.Nulls {
		var loss, pearson, spearman, snr float64
		same, pass := 0, 0
		for _, e := range r.Evidence {
			if e.Member != null.Member {
				continue
			}
			loss, pearson, spearman, snr = loss+e.Loss/n, pearson+e.Pearson/n, spearman+e.Spearman/n, snr+e.SNR/n
			if e.SameClass {
				same++
			}
			if e.Verdict == "pass" {
				pass++
			}
		}
		of := func(k int) string { return fmt.Sprintf("%d of %.0f", k, n) }
		t.Rows = append(t.Rows, []string{null.Member, fmt.Sprintf("%.4f", loss), fmt.Sprintf("%.3f (%.3f)", pearson, null.Pearson), fmt.Sprintf("%.3f (%.3f)", spearman, null.Spearman), fmt.Sprintf("%.1f (%.1f)", snr, null.SNR), of(same), of(pass)})
	}
	return t
}

// Loss is the plot of the inversion loss over the steps.
func (r *Run) Loss() (*Figure, error) {
	p := errand.PackRun(r.Run)
	p.Start, p.Metamers = nil, nil
	return figure("loss", func(f errand.Format) (*errand.Figure, error) {
		reply, err := do(Context(), errand.Request{Draw: &errand.Drawing{Loss: &f, Run: p}})
		if err != nil {
			return nil, err
		}
		return reply.Figure, nil
	})
}

// ModelList is what the engine knows, as a table.
type ModelList []errand.Model

// MIMEBundle shows the models as a table.
func (l ModelList) MIMEBundle() (map[string][]byte, error) {
	t := &Table{Caption: "Models by name. Those without weights here say how to get them.", Columns: []table.Column{{Head: "name"}, {Head: "kind"}, {Head: "training"}, {Head: "classes"}, {Head: "weights"}}}
	for _, m := range l {
		here := "here"
		if m.Missing != "" {
			here = "missing"
		}
		t.Rows = append(t.Rows, []string{strings.Join(append([]string{m.Card.Name}, m.Card.Aliases...), ", "), m.Card.Kind, m.Card.Training, m.Card.Labels, here})
	}
	return map[string][]byte{"text/html": []byte(t.HTML()), "text/plain": []byte(t.Markdown())}, nil
}

// Models lists the models that the engine knows.
func Models() (ModelList, error) {
	r, err := do(Context(), errand.Request{Models: &errand.Models{All: true}})
	if err != nil {
		return nil, err
	}
	return r.Models, nil
}
