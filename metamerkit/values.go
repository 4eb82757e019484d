package metamerkit

import (
	"bytes"
	"fmt"
	"html"
	"image"
	"image/png"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/ask"
	"github.com/ensemble-metamers/metamers/metamerkit/figures"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	_ "github.com/ensemble-metamers/metamers/metamerkit/images/photos" // the image set photos
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Images is an image set that shows itself as a contact sheet.
type Images struct{ *images.Set }

// OpenImages opens an image set: photos[:N] (the embedded photographs), cifar10[:N],
// a folder or files. size is the pixels a side; without it CIFAR-10 has 32, all else
// 224.
func OpenImages(spec string, size ...int) (Images, error) {
	o := images.Options{}
	if len(size) > 0 && !strings.HasPrefix(spec, "cifar10") {
		o.Size = size[0]
	}
	s, err := images.Open(strings.Fields(spec), o)
	return Images{s}, err
}

// MIMEBundle shows the images with their classes or names.
func (s Images) MIMEBundle() (map[string][]byte, error) {
	sheet := figures.Sheet{Title: fmt.Sprintf("%s: %d images of %d²", s.Name, s.Len(), s.Size), Size: s.Size, PerLine: perLine(s.Size), Rows: []figures.Row{{Label: "", Pixels: s.Pixels}}}
	for i := range s.Len() {
		name := s.Class(i)
		if name == "" {
			name = s.Names[i]
		}
		sheet.Columns = append(sheet.Columns, name)
	}
	m, err := sheet.Render()
	if err != nil {
		return nil, err
	}
	return pictured(m, s.String())
}

func (s Images) String() string {
	return fmt.Sprintf("%s: %d images of %d² pixels", s.Name, s.Len(), s.Size)
}

// perLine is how many images stand side by side in a cell.
func perLine(size int) int {
	if size > 64 {
		return 6
	}
	return 12
}

func pictured(m image.Image, text string) (map[string][]byte, error) {
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		return nil, err
	}
	return map[string][]byte{"image/png": b.Bytes(), "text/plain": []byte(text)}, nil
}

// Run is a run with its references, which shows itself as a contact sheet.
type Run struct {
	*metamer.Run
	References Images
}

// MIMEBundle shows references, metamers and verdicts.
func (r *Run) MIMEBundle() (map[string][]byte, error) {
	m, err := r.sheet()
	if err != nil {
		return nil, err
	}
	return pictured(m, r.String())
}

func (r *Run) sheet() (image.Image, error) {
	return figures.Contact(fmt.Sprintf("Metamers of %s", r.References.Name), r.References.Set, r.Run)
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
		Columns: []figures.Column{{Head: "member"}, {Head: "relative L2", Right: true}, {Head: "Pearson", Right: true}, {Head: "Spearman", Right: true}, {Head: "SNR (dB)", Right: true}, {Head: "same class", Right: true}, {Head: "pass", Right: true}}}
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
func (r *Run) Loss() (*Figure, error) { return figures.LossFigure(r.Run) }

// ModelList is what the engine knows, as a table.
type ModelList []ask.Model

// MIMEBundle shows the models as a table.
func (l ModelList) MIMEBundle() (map[string][]byte, error) {
	t := &Table{Caption: "Models by name. Those without weights here say how to get them.", Columns: []figures.Column{{Head: "name"}, {Head: "kind"}, {Head: "training"}, {Head: "classes"}, {Head: "weights"}}}
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
	e, err := Engine()
	if err != nil {
		return nil, err
	}
	return e.Models(Context())
}

// escape makes text safe in HTML.
func escape(s string) string { return html.EscapeString(s) }
