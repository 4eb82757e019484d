package study

import (
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/figures"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/place"
)

//go:embed index.html.tmpl
var indexText string

var index = template.Must(template.New("index").Parse(indexText))

// Write leaves the whole result in dir: figures as PNG, SVG and PDF, tables as
// Markdown, LaTeX and CSV, rows.csv, and index.html, which shows all of it and needs
// no other file. Figures that cannot be drawn are named in the page and returned as
// warnings.
func (r *Result) Write(dir string) (warnings []string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("study: %w", err)
	}
	page := page{Result: r, Took: r.Took.Round(time.Second).String(), Paper: Paper, Date: time.Now().Format(time.DateOnly)}
	asked := r.Asked(FigureNames)
	if len(asked) < len(FigureNames) {
		page.Unasked = r.unasked(asked)
	}
	_, warnings, err = r.Save(dir, slices.Concat(asked, TableNames), []string{"png", "svg", "pdf", "md", "tex", "csv"}, 0)
	if err != nil {
		return warnings, err
	}
	page.Missing = warnings
	for _, name := range asked {
		f, err := r.Figure(name)
		if err != nil {
			continue // Save has warned of it
		}
		data, err := os.ReadFile(filepath.Join(dir, name+".png"))
		if err != nil {
			return warnings, fmt.Errorf("study: %w", err)
		}
		page.Figures = append(page.Figures, shown{f, template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(data)), strings.TrimPrefix(f.Name, "figure")})
	}
	for _, name := range TableNames {
		t, err := r.Table(name)
		if err != nil {
			return warnings, err
		}
		page.Tables = append(page.Tables, shownTable{t, template.HTML(t.HTML())})
	}
	if err := metamer.SaveRows(filepath.Join(dir, rowsName), r.Rows); err != nil {
		return warnings, err
	}
	if err := r.record(dir); err != nil {
		return warnings, err
	}
	page.Passed, page.Images = r.passed()
	var b strings.Builder
	if err := index.Execute(&b, page); err != nil {
		return warnings, fmt.Errorf("study: index.html: %w", err)
	}
	return warnings, put(filepath.Join(dir, "index.html"), b.String())
}

// page is what the template shows.
type page struct {
	*Result
	Figures        []shown
	Tables         []shownTable
	Took           string
	Paper, Date    string
	Missing        []string
	Unasked        string // what the plan does not ask for
	Passed, Images int
}

type shown struct {
	*figures.Figure
	Data   template.URL
	Number string
}

type shownTable struct {
	*figures.Table
	Body template.HTML
}

// unasked says which figures the plan does not ask for.
func (r *Result) unasked(asked []string) string {
	var not []string
	for _, name := range FigureNames {
		if !slices.Contains(asked, name) {
			not = append(not, strings.TrimPrefix(name, "figure"))
		}
	}
	figure := "Figure "
	if len(not) > 1 {
		figure = "Figures "
	}
	text := "The plan measures " + strings.Join(r.Plan.measures(), ", ")
	if !slices.ContainsFunc(r.Plan.Sets, single) {
		text += " and has no single models"
	}
	return text + ": " + figure + strings.Join(not, ", ") + " left out."
}

// passed counts the metamers that pass for every member, over all runs.
func (r *Result) passed() (passed, images int) {
	for _, run := range r.Runs {
		passed += run.PassCount()
		images += run.Recipe.Images.Count
	}
	return passed, images
}

// put writes a file under its name when it is whole.
func put(path, text string) error {
	if err := place.WriteBytes(path, []byte(text)); err != nil {
		return fmt.Errorf("study: %w", err)
	}
	return nil
}
