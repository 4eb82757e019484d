package benchmark

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/figures"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// Table lists every cell. Intervals are 95 % bootstrap intervals over images.
func (r *Result) Table() *figures.Table {
	t := &figures.Table{Name: "benchmark", Title: "Optimisers at equal numbers of evaluations", Columns: []figures.Column{
		{Head: "set"}, {Head: "stage"}, {Head: "method"}, {Head: "evaluations", Right: true}, {Head: "relative loss", Right: true},
		{Head: "evaluations to the baseline's loss, share", Right: true}, {Head: "pass", Right: true}, {Head: "recognized by others", Right: true}, {Head: "difference to the baseline", Right: true}, {Head: "seconds", Right: true}},
		Caption: fmt.Sprintf("%d images of %s, seeds %v; the baseline is %s. Relative L2 loss at the end, mean over members; recognizability by models outside the set; with 95 %% bootstrap intervals over images. Seconds of wall time, on a machine that may have been busy.",
			r.Images.Len(), r.Images.Name, r.Plan.Seeds, r.Plan.Methods[0].Name)}
	var b evaluate.Bootstrap
	value := func(v []float64, format string, mean func([]float64) (float64, float64, float64, int, error)) string {
		m, low, high, _, err := mean(v)
		if math.IsNaN(m) {
			return "–"
		}
		if err != nil {
			return fmt.Sprintf(format, m)
		}
		return fmt.Sprintf(format+" ("+format+" to "+format+")", m, low, high)
	}
	for _, c := range r.Cells {
		base := r.baseline(c)
		reached := "1"
		difference := "–"
		if c != base {
			s, low, high := share(c, base)
			switch {
			case math.IsNaN(s):
				reached = "not reached"
			case math.IsNaN(low):
				reached = fmt.Sprintf("%.3f", s)
			default:
				reached = fmt.Sprintf("%.3f (%.3f to %.3f)", s, low, high)
			}
			d := make([]float64, len(c.Recognized))
			for i := range d {
				d[i] = c.Recognized[i] - base.Recognized[i]
			}
			difference = value(d, "%+.2f", b.Mean)
		}
		most := 0
		for _, run := range c.Runs {
			most = max(most, run.Recipe.Evaluations(run.StepsRun))
		}
		t.Rows = append(t.Rows, []string{label(c.Set), c.Stage, c.Method.Name, fmt.Sprint(most), value(c.Final, "%.2g", b.Mean), reached,
			fmt.Sprintf("%.2f", mean(c.Passed)), value(c.Recognized, "%.2f", b.Share), difference, fmt.Sprintf("%.0f", c.Seconds)})
	}
	return t
}

func (r *Result) baseline(c *Cell) *Cell {
	i := slices.IndexFunc(r.Cells, func(o *Cell) bool { return o.Stage == c.Stage && label(o.Set) == label(c.Set) })
	return r.Cells[i]
}

// Figure plots the loss against evaluations, a panel for each set and stage.
func (r *Result) Figure() (*figures.Figure, error) {
	var panels []figures.Descent
	for _, c := range r.Cells {
		title := label(c.Set) + ", " + c.Stage
		if len(panels) == 0 || panels[len(panels)-1].Title != title {
			panels = append(panels, figures.Descent{Title: title})
		}
		p := &panels[len(panels)-1]
		p.Lines = append(p.Lines, figures.DescentLine{Label: c.Method.Name, Evaluations: c.Curve.At, Loss: c.Curve.Loss})
	}
	return figures.Descents(panels, len(r.Plan.Stages))
}

// Write puts table (Markdown, CSV) and figure (PNG, SVG, PDF) into a folder.
func (r *Result) Write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("benchmark: %w", err)
	}
	f, err := r.Figure()
	if err != nil {
		return err
	}
	for _, ending := range []string{"png", "svg", "pdf"} {
		if err := f.Save(filepath.Join(dir, f.Name+"."+ending), 0); err != nil {
			return err
		}
	}
	t := r.Table()
	for ending, text := range map[string]string{".md": t.Caption + "\n\n" + t.Markdown(), ".csv": t.CSV()} {
		err := paths.WriteBytes(filepath.Join(dir, t.Name+ending), []byte(text))
		if err != nil {
			return fmt.Errorf("benchmark: %w", err)
		}
	}
	return nil
}
