package metamerkit

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/table"
)

// Images is an image set that shows itself as a contact sheet. One that was opened has its
// pixels in the engine; one that a program makes has them in its ImageSet.
type Images struct {
	*metamer.ImageSet

	sum    string    // SHA-256, "" of a set with pixels
	opened *api.Open // how it was opened
}

// OpenImages opens an image set: scenes[:N] or photos[:N] (embedded photographs, meant for
// 224² and 32² pixels), cifar10[:N], a folder or files. Spaces separate several files. A
// path with spaces is given alone or in quotes. The images are square with size pixels a
// side; the default is 224, and CIFAR-10 always has 32. The error names the set or the file
// that cannot be read.
func OpenImages(spec string, size ...int) (Images, error) {
	q := api.Open{Spec: []string{spec}}
	if name, _, _ := strings.Cut(spec, ":"); len(size) > 0 && name != "cifar10" {
		q.Size = size[0]
	}
	r, err := do(api.Request{Open: &q})
	if err != nil {
		return Images{}, err
	}
	if r.Images == nil {
		return Images{}, errors.New("metamerkit: the server returned no images")
	}
	return Images{r.Images, r.SHA256, &q}, api.CheckLight(r.Images)
}

// SHA256 returns the SHA-256 of size, labels and pixels, in hexadecimal.
func (s Images) SHA256() string {
	if s.sum != "" {
		return s.sum
	}
	return s.ImageSet.SHA256()
}

// ref names the set in a request.
func (s Images) ref() metamer.ImageRef {
	if s.ImageSet == nil {
		return metamer.ImageRef{}
	}
	return metamer.ImageRef{Name: s.Name, Count: s.Len(), Size: s.Size, SHA256: s.SHA256()}
}

// Load returns the set with its pixels, float32 [N,Size,Size,3] in [0,1]. It reads them
// from the engine unless the program has them.
func (s Images) Load() (*metamer.ImageSet, error) {
	if s.sum == "" {
		return s.ImageSet, nil
	}
	r, err := do(api.Request{Pixels: &api.Pixels{Images: s.ref()}}, s)
	if err != nil {
		return nil, err
	}
	set := *s.ImageSet
	set.Pixels = r.Pixels
	return &set, api.CheckImages(&set)
}

// Pixels returns the pixels of all images, float32 [N,Size,Size,3] in [0,1] (see Load).
func (s Images) Pixels() ([]float32, error) {
	set, err := s.Load()
	if err != nil {
		return nil, err
	}
	return set.Pixels, nil
}

// Image returns the pixels of image i, float32 [Size,Size,3] in [0,1] (see Load).
func (s Images) Image(i int) ([]float32, error) {
	set, err := s.Load()
	if err != nil {
		return nil, err
	}
	return set.Image(i), nil
}

// Part returns images from up to but without to as a part of this set; recipes then name
// the whole set. A range that is empty or not in the set is an error.
func (s Images) Part(from, to int) (Images, error) {
	set, err := s.Load()
	if err != nil {
		return Images{}, err
	}
	part, err := set.Part(from, to)
	return Images{ImageSet: part}, err
}

// Slice returns images from up to but without to as a set of their own. It panics if the
// range is not in the set, as a slice does.
func (s Images) Slice(from, to int) (Images, error) {
	set, err := s.Load()
	if err != nil {
		return Images{}, err
	}
	return Images{ImageSet: set.Slice(from, to)}, nil
}

// Unlabelled returns the set without its labels.
func (s Images) Unlabelled() (Images, error) {
	set, err := s.Load()
	if err != nil {
		return Images{}, err
	}
	return Images{ImageSet: set.Unlabelled()}, nil
}

// send sends a set to the engine, or has the engine open it again.
func (s Images) send() error {
	if s.sum == "" {
		if err := api.CheckImages(s.ImageSet); err != nil {
			return err
		}
		_, err := do(api.Request{Put: &api.Put{Images: *api.LightImages(s.ImageSet), Pixels: s.ImageSet.Pixels}})
		return err
	}
	r, err := do(api.Request{Open: s.opened})
	if err == nil && r.SHA256 != s.sum {
		err = fmt.Errorf("metamerkit: the images %s have changed since they were opened: open them again", s.Name)
	}
	return err
}

// MIMEBundle shows the images with their classes or names.
func (s Images) MIMEBundle() (map[string][]byte, error) {
	per := 12
	if s.Size > 64 {
		per = 6
	}
	title := fmt.Sprintf("%s: %d images of %d²", s.Name, s.Len(), s.Size)
	r, err := do(api.Request{Draw: &api.Drawing{Images: s.ref(), Sheet: title, PerLine: per}}, s)
	return picture(r, err, s.String())
}

func (s Images) String() string {
	return fmt.Sprintf("%s: %d images of %d² pixels", s.Name, s.Len(), s.Size)
}

// picture is the MIME bundle of a reply that has a picture, for err == nil.
func picture(r *api.Reply, err error, text string) (map[string][]byte, error) {
	if err != nil {
		return nil, err
	}
	return map[string][]byte{"image/png": r.Figure.Data, "text/plain": []byte(text)}, nil
}

// Run is a run with its references, which shows itself as a contact sheet. Its pixels are
// in the engine.
type Run struct {
	*metamer.Run
	References Images
}

// Metamers returns the pixels of the metamers, float32 [N,Size,Size,3] in [0,1].
func (r *Run) Metamers() ([]float32, error) {
	reply, err := do(api.Request{Pixels: &api.Pixels{Run: r.ID}})
	if err != nil {
		return nil, err
	}
	return reply.Pixels, nil
}

// Start returns the pixels of the initial images, float32 [N,Size,Size,3] in [0,1].
func (r *Run) Start() ([]float32, error) {
	reply, err := do(api.Request{Pixels: &api.Pixels{Run: r.ID}})
	if err != nil {
		return nil, err
	}
	return reply.Start, nil
}

// Spread returns for each reference the mean distance of two of its variants (Recipe.Variants),
// the root mean square of the difference of their pixels, and the same of their initial images.
func (r *Run) Spread() (metamers, starts []float64, err error) {
	reply, err := do(api.Request{Pixels: &api.Pixels{Run: r.ID}})
	if err != nil {
		return nil, nil, err
	}
	whole := *r.Run
	whole.Metamers, whole.Start = reply.Pixels, reply.Start
	metamers, starts = whole.Spread()
	return metamers, starts, nil
}

// MIMEBundle shows references, metamers and verdicts.
func (r *Run) MIMEBundle() (map[string][]byte, error) {
	refs := r.References
	reply, err := do(api.Request{Draw: &api.Drawing{Run: r.ID, Images: refs.ref(), Sheet: "Metamers of " + refs.Name}}, refs)
	return picture(reply, err, r.String())
}

func (r *Run) String() string {
	s := fmt.Sprintf("run %s of {%s} at %s%s: %s", r.ID, strings.Join(r.Recipe.ModelNames(), ", "), r.Recipe.Stage, r.Recipe.Opponents(), r.Verdict())
	if r.Stopped != "" {
		s += "; " + r.Stopped
	}
	return s
}

// Verdicts returns the match statistics as a table: for each member the means over the
// images, the largest values of the null distribution, the largest p of an image, and how
// many images pass. Models that the run is against follow the members.
func (r *Run) Verdicts() *Table {
	t := &Table{Name: "verdicts", Title: "Match statistics", Caption: r.String() + ".",
		Columns: []table.Column{{Head: "member"}, {Head: "relative L2", Right: true}, {Head: "Pearson", Right: true}, {Head: "Spearman", Right: true}, {Head: "SNR (dB)", Right: true}, {Head: "largest p", Right: true}, {Head: "same class", Right: true}, {Head: "pass", Right: true}, {Head: "pass as PNG", Right: true}}}
	of := func(k, n int) string { return fmt.Sprintf("%d of %d", k, n) }
	add := func(prefix string, matches []metamer.Match) {
		for _, m := range matches {
			tested := m.Null.Untested() == ""
			beside := func(format string, v, null float64) string {
				if !tested {
					return fmt.Sprintf(format, v)
				}
				return fmt.Sprintf(format+" ("+format+")", v, null)
			}
			p, pass, png := "–", metamer.NotTested, metamer.NotTested
			if m.PPearson > 0 {
				p = fmt.Sprintf("%.2g", max(m.PPearson, m.PSpearman, m.PSNR))
			}
			if m.Tested > 0 {
				pass = of(m.Pass, m.Tested)
			}
			if m.PNGTested > 0 {
				png = of(m.PNGPass, m.PNGTested)
			}
			t.Rows = append(t.Rows, []string{prefix + m.Null.Member, fmt.Sprintf("%#.3g", m.Loss), beside("%.3f", m.Pearson, m.Null.Pearson), beside("%.3f", m.Spearman, m.Null.Spearman), beside("%.1f", m.SNR, m.Null.SNR), p, of(m.Same, m.Count), pass, png})
		}
	}
	matches := r.Matches()
	add("", matches)
	add("against ", r.AgainstMatches())
	if len(matches) > 0 && matches[0].Null.Untested() == "" {
		t.Caption += " In brackets: the largest value of the null distribution, which is of " + matches[0].Null.Of() + "; p is that of the image and statistic with the largest."
	}
	return t
}

// Loss returns the plot of each member's inversion loss over the steps.
func (r *Run) Loss() (*Figure, error) {
	return figure("loss", func(f api.Format) (*api.Figure, error) {
		reply, err := do(api.Request{Draw: &api.Drawing{Loss: &f, Run: r.ID}})
		if err != nil {
			return nil, err
		}
		return reply.Figure, nil
	})
}

// ModelList is the list of the models that the engine knows.
type ModelList []api.Model

// MIMEBundle shows the models as a table.
func (l ModelList) MIMEBundle() (map[string][]byte, error) {
	t := &Table{Caption: "Models by name. Weights that are missing can be downloaded with metamers models pull NAME, unless the model says otherwise.", Columns: []table.Column{{Head: "name"}, {Head: "kind"}, {Head: "training"}, {Head: "classes"}, {Head: "weights"}}}
	for _, m := range l {
		weights := "stored"
		if m.Missing != "" {
			weights = "missing"
		}
		t.Rows = append(t.Rows, []string{strings.Join(append([]string{m.Card.Name}, m.Card.Aliases...), ", "), m.Card.Kind, m.Card.Training, m.Card.Labels, weights})
	}
	return map[string][]byte{"text/html": []byte(t.HTML()), "text/plain": []byte(t.Markdown())}, nil
}

// Models lists the models that the engine knows, and how to get the weights of those that
// lack them.
func Models() (ModelList, error) {
	r, err := do(api.Request{Models: &api.Models{All: true}})
	if err != nil {
		return nil, err
	}
	return r.Models, nil
}
