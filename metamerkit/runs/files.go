package runs

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
)

// matches is evidence.json.
type matches struct {
	Statistics []metamer.MatchStatistics `json:"evidence"`
	Nulls      []metamer.Null            `json:"nulls"`
	// Of the models that the recipe is against.
	Against      []metamer.MatchStatistics `json:"against,omitempty"`
	AgainstNulls []metamer.Null            `json:"againstNulls,omitempty"`
	Passed       int                       `json:"passed"`
	Images       int                       `json:"images"`
	Names        []string                  `json:"names,omitempty"` // of the reference images
	StepsRun     int                       `json:"stepsRun"`
	Seconds      float64                   `json:"seconds"`
	Stopped      string                    `json:"stopped,omitempty"`
}

// Load reads a run and checks every file against the manifest. The error is fs.ErrNotExist
// if the run is not stored and a *CorruptError if it is damaged.
func (s *Store) Load(id string) (*metamer.Run, error) {
	return s.LoadContext(context.Background(), id)
}

// LoadContext is Load with a context that ends transfers from an object store.
func (s *Store) LoadContext(ctx context.Context, id string) (*metamer.Run, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	dir := filepath.Join(s.Dir, id)
	_, err := os.Stat(dir)
	if err == nil {
		err = verify(dir)
	}
	if s.URL != "" && err != nil && Missing(err) {
		err = s.fetch(ctx, id)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("runs: no run %s in %s: %w", id, s.Where(), fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	return read(id, dir)
}

// read reads a run's folder whose files are known to be whole.
func read(id, dir string) (*metamer.Run, error) {
	run := &metamer.Run{ID: id, Dir: dir}
	var e matches
	for name, to := range map[string]any{"recipe.json": &run.Recipe, "evidence.json": &e} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("runs: %w", err)
		}
		if err := json.Unmarshal(data, to); err != nil {
			return nil, &CorruptError{Dir: dir, Problem: name + ": " + err.Error()}
		}
	}
	if got := run.Recipe.ID(); got != id {
		return nil, &CorruptError{Dir: dir, Problem: "it holds the recipe of run " + got}
	}
	if n := len(e.Names); n != 0 && n != run.Recipe.Images.Count {
		return nil, &CorruptError{Dir: dir, Problem: fmt.Sprintf("evidence.json names %d images, expected %d", n, run.Recipe.Images.Count)}
	}
	run.Names = e.Names
	run.Against, run.AgainstNulls = e.Against, e.AgainstNulls
	run.Statistics, run.Nulls, run.StepsRun, run.Seconds, run.Stopped = e.Statistics, e.Nulls, e.StepsRun, e.Seconds, e.Stopped
	for name, to := range map[string]*[]float32{"metamers": &run.Metamers, "start": &run.Start} {
		f, err := weights.Open(filepath.Join(dir, name+".safetensors"))
		if err != nil {
			return nil, &CorruptError{Dir: dir, Problem: err.Error()}
		}
		if t := f.Tensors[name]; t == nil || len(t.Float) != run.Recipe.Images.Count*run.Recipe.Images.Size*run.Recipe.Images.Size*3 {
			return nil, &CorruptError{Dir: dir, Problem: name + ".safetensors does not hold the recipe's images"}
		}
		*to = f.Tensors[name].Float
	}
	var err error
	run.Trace, err = readTrace(filepath.Join(dir, "trace.csv"), run.Recipe)
	return run, err
}

// Finish publishes a run in one rename. The functions in extra write further files, by
// slash-separated name. If Finish fails, no partial run is left and the checkpoint is kept.
func (w *Work) Finish(run *metamer.Run, extra map[string]func(path string) error) (err error) {
	tmp, err := w.store.partFolder(w.ID)
	if err != nil {
		return err
	}
	defer func() {
		os.RemoveAll(tmp)
		if err != nil {
			err = fmt.Errorf("runs: saving run %s (the checkpoint is unchanged): %w", w.ID, err)
		}
	}()
	r := run.Recipe
	shape := []int{r.Images.Count, r.Images.Size, r.Images.Size, 3}
	tensor := func(name string, v []float32) func(string) error {
		return func(p string) error {
			return weights.WriteSafetensors(p, []weights.Tensor{{Name: name, Shape: shape, Float: v}}, map[string]string{"run": w.ID})
		}
	}
	files := map[string]func(string) error{
		"recipe.json":          writeJSON(r),
		"evidence.json":        writeJSON(matches{run.Statistics, run.Nulls, run.Against, run.AgainstNulls, run.PassCount(), r.Images.Count, run.Names, run.StepsRun, run.Seconds, run.Stopped}),
		"trace.csv":            func(p string) error { return writeTrace(p, run) },
		"metamers.safetensors": tensor("metamers", run.Metamers),
		"start.safetensors":    tensor("start", run.Start),
	}
	per := r.Images.Size * r.Images.Size * 3
	for i := range r.Images.Count {
		files["previews/"+previewName(run, i)] = func(p string) error {
			return images.WritePNG(p, run.Metamers[i*per:(i+1)*per], r.Images.Size)
		}
	}
	for name, f := range extra {
		if files[name] != nil || name == manifestName || !filepath.IsLocal(name) {
			panic(fmt.Sprintf("runs: Finish with an extra file %q", name))
		}
		files[name] = f
	}
	m := manifest{Files: map[string]string{}}
	for name, write := range files {
		p := filepath.Join(tmp, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			return err
		}
		if err := write(p); err != nil {
			return err
		}
		// Libraries write temporary files with 0600; a run may be shared.
		if err := errors.Join(os.Chmod(p, 0o644), syncFile(p), syncFile(filepath.Dir(p))); err != nil {
			return err
		}
		if m.Files[name], err = paths.Sum(p); err != nil {
			return err
		}
	}
	p := filepath.Join(tmp, manifestName)
	if err := errors.Join(writeJSON(m)(p), syncFile(p), syncFile(tmp)); err != nil {
		return err
	}
	run.ID, run.Dir = w.ID, filepath.Join(w.store.Dir, w.ID)
	if err := w.publish(tmp, run); err != nil {
		return err
	}
	w.done = true
	return w.dropCheckpoint()
}

// previewName is a file name for image i: its number and, where it is known, its own name
// without what file systems or archives do not take.
func previewName(run *metamer.Run, i int) string {
	name := fmt.Sprintf("%03d", i)
	if i < len(run.Names) {
		clean := strings.Map(func(r rune) rune {
			if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("._-", r) {
				return r
			}
			return '_'
		}, run.Names[i])
		for len(clean) > 80 {
			_, last := utf8.DecodeLastRuneInString(clean)
			clean = clean[:len(clean)-last]
		}
		name += "_" + clean
	}
	return name + ".png"
}

// syncFile flushes a file or folder to the disk.
func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

func writeJSON(v any) func(path string) error {
	return func(path string) error {
		data, err := marshal(v)
		if err != nil {
			return err
		}
		return os.WriteFile(path, data, 0o644)
	}
}

func marshal(v any) ([]byte, error) {
	data, err := json.MarshalIndent(v, "", "  ")
	return append(data, '\n'), err
}

// writeTrace writes one row a step and image: step, member, image, loss.
func writeTrace(path string, run *metamer.Run) error {
	var b bytes.Buffer
	c := csv.NewWriter(&b)
	c.Write([]string{"step", "member", "image", "loss"})
	names := run.Recipe.TappedNames()
	for i, row := range run.Trace.Loss {
		for j, v := range row {
			c.Write([]string{strconv.Itoa(run.Trace.Step[i]), names[run.Trace.Member[i]], strconv.Itoa(run.Trace.Image[i] + j), strconv.FormatFloat(float64(v), 'g', -1, 32)})
		}
	}
	c.Flush()
	return errors.Join(c.Error(), os.WriteFile(path, b.Bytes(), 0o644))
}

func readTrace(path string, r metamer.Recipe) (t metamer.Trace, err error) {
	f, err := os.Open(path)
	if err != nil {
		return t, fmt.Errorf("runs: %w", err)
	}
	defer f.Close()
	return parseTrace(path, f, r)
}

func parseTrace(path string, from io.Reader, r metamer.Recipe) (t metamer.Trace, err error) {
	c := csv.NewReader(from)
	c.FieldsPerRecord = 4
	rows, err := c.ReadAll()
	if err != nil {
		return t, &CorruptError{Dir: path, Problem: err.Error()}
	}
	index := map[string]int{}
	for i, n := range r.TappedNames() {
		index[n] = i
	}
	for i, row := range rows[min(1, len(rows)):] {
		step, e1 := strconv.Atoi(row[0])
		m, ok := index[row[1]]
		image, e2 := strconv.Atoi(row[2])
		v, e3 := strconv.ParseFloat(row[3], 32)
		if err := errors.Join(e1, e2, e3); err != nil || !ok {
			return t, &CorruptError{Dir: path, Problem: fmt.Sprintf("row %d: %v %v", i+2, row, err)}
		}
		if n := len(t.Step); n == 0 || t.Step[n-1] != step || t.Member[n-1] != m || t.Image[n-1]+len(t.Loss[n-1]) != image {
			t.Step, t.Member, t.Image, t.Loss = append(t.Step, step), append(t.Member, m), append(t.Image, image), append(t.Loss, nil)
		}
		n := len(t.Loss) - 1
		t.Loss[n] = append(t.Loss[n], float32(v))
	}
	return t, nil
}
