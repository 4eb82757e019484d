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
	s := fmt.Sprintf("run %s of {%s} at %s: %s", r.ID, strings.Join(r.Recipe.ModelNames(), ", "), r.Recipe.Stage, r.Verdict())
	if r.Stopped != "" {
		s += "; " + r.Stopped
	}
	return s
}

// Verdicts is the table of match statistics: for each member the means over the images,
// beside the largest values of the null distribution, and the largest p of an image.
func (r *Run) Verdicts() *Table {
	t := &Table{Name: "verdicts", Title: "Match statistics", Caption: r.String() + ".",
		Columns: []table.Column{{Head: "member"}, {Head: "relative L2", Right: true}, {Head: "Pearson", Right: true}, {Head: "Spearman", Right: true}, {Head: "SNR (dB)", Right: true}, {Head: "largest p", Right: true}, {Head: "same class", Right: true}, {Head: "pass", Right: true}}}
	of := func(k, n int) string { return fmt.Sprintf("%d of %d", k, n) }
	for i, m := range r.Matches() {
		tested := m.Null.Untested() == ""
		beside := func(format string, v, null float64) string {
			if !tested {
				return fmt.Sprintf(format, v)
			}
			return fmt.Sprintf(format+" ("+format+")", v, null)
		}
		p, pass := "–", metamer.NotTested
		if m.PPearson > 0 {
			p = fmt.Sprintf("%.2g", max(m.PPearson, m.PSpearman, m.PSNR))
		}
		if m.Tested > 0 {
			pass = of(m.Pass, m.Tested)
		}
		t.Rows = append(t.Rows, []string{m.Null.Member, fmt.Sprintf("%.4f", m.Loss), beside("%.3f", m.Pearson, m.Null.Pearson), beside("%.3f", m.Spearman, m.Null.Spearman), beside("%.1f", m.SNR, m.Null.SNR), p, of(m.Same, m.Count), pass})
		if i == 0 && tested {
			t.Caption += " In brackets: the largest value of the null distribution, which is of " + m.Null.Of() + "; p is that of the image and statistic with the largest."
		}
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
