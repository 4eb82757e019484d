package study

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/claims"
	"github.com/ensemble-metamers/metamers/metamerkit/figures"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// The parts of a study by the names of their files, in their order.
var (
	FigureNames = []string{"figure1", "figure2", "figure3", "figure4", "figure5", "figure6", "figure7", "figure8"}
	TableNames  = []string{matchName, "claims", claimsByPeople, peopleAndNetworks, "table1", "table2", "table3", "table4", "table5", "table6", distortionsName, "differences"}
)

// drawn are the names of all figures: those of FigureNames and the loss curves.
var drawn = append([]string{lossesName}, FigureNames...)

// The formats of figures and of tables.
var (
	FigureFormats = []string{"png", "svg", "pdf"}
	TableFormats  = []string{"md", "tex", "csv", "html"}
)

// Figure draws one of FigureNames.
func (r *Result) Figure(name string) (*figures.Figure, error) {
	draw := map[string]func() (*figures.Figure, error){"figure1": r.Overview, "figure2": r.Gallery, "figure3": r.Recognizability, "figure4": r.Quality,
		"figure5": r.Divergence, "figure6": r.SingleQuality, "figure7": r.SingleDivergence, "figure8": r.Parting, lossesName: r.Losses}[name]
	if draw == nil {
		return nil, fmt.Errorf("study: %w", metamer.Unknown("figure", name, drawn))
	}
	f, err := draw()
	if err != nil && !strings.Contains(err.Error(), name) {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return f, err
}

// Table makes one of TableNames.
func (r *Result) Table(name string) (*figures.Table, error) {
	switch name {
	case "claims":
		list, err := r.Claims()
		if err != nil {
			return nil, err
		}
		if len(claims.Tested(list)) == 0 {
			return nil, fmt.Errorf("study: claims: %s", claims.Untested(list))
		}
		return ClaimsTable(list), nil
	case claimsByPeople, peopleAndNetworks:
		return r.peopleTable(name)
	case "differences":
		return r.DifferencesTable(), nil
	case distortionsName:
		if len(r.Distortions) == 0 {
			return nil, fmt.Errorf("study: the table %s needs distortions, which a plan asks for by distortions: N", name)
		}
		return r.DistortionsTable(), nil
	case matchName:
		if len(r.Runs) == 0 {
			return nil, fmt.Errorf("study: the table %s needs runs, and no run of these rows is in the store", name)
		}
		return r.Match(), nil
	}
	for _, t := range r.Tables() {
		if t.Name == name {
			return t, nil
		}
	}
	return nil, fmt.Errorf("study: %w", metamer.Unknown("table", name, TableNames))
}

// Parts returns the full names of figures and tables, of which fig3 is figure3; nil
// stands for all.
func Parts(names []string) ([]string, error) {
	all := slices.Concat(drawn, TableNames)
	if len(names) == 0 {
		return all, nil
	}
	var out []string
	for _, n := range names {
		full := strings.ToLower(strings.TrimSpace(n))
		if rest, ok := strings.CutPrefix(full, "fig"); ok && !strings.HasPrefix(rest, "ure") {
			full = "figure" + rest
		}
		if !slices.Contains(all, full) {
			return nil, fmt.Errorf("study: unknown figure or table %q, expected %s", n, strings.Join(all, ", "))
		}
		if !slices.Contains(out, full) {
			out = append(out, full)
		}
	}
	return out, nil
}

// Available returns the parts that the results can show. It leaves out figures of measures that
// the plan does not name or whose values are withheld, comparisons of single models with
// ensembles if the plan lacks either, Figure 8 and Table 6 if it has no pairs, distortions if it has none, claims if none is tested, people if nobody took part,
// and pictures of runs if there are only rows.
func (r *Result) Available(parts []string) (out []string) {
	measure := map[string]string{"figure3": "recognizability", "figure4": "metrics", "figure5": "jsd", "figure6": "metrics", "figure7": "jsd"}
	for _, name := range parts {
		if (name == "figure8" || name == "table6") && !r.Plan.Pairs {
			continue
		}
		m := measure[name]
		if m != "" && !slices.Contains(r.Plan.measures(), m) || (name == "figure6" || name == "figure7") && !(slices.ContainsFunc(r.Plan.Sets, single) && slices.ContainsFunc(r.Plan.Sets, ensemble)) ||
			m == "jsd" && r.withheld() != "" || name == matchName && len(r.Runs) == 0 || name == distortionsName && len(r.Distortions) == 0 || name == lossesName && !slices.ContainsFunc(r.Runs, traced) || name == "claims" && !r.tested() ||
			name == claimsByPeople && !r.testedByPeople() || name == peopleAndNetworks && !claims.HasPeople(r.Rows) {
			continue
		}
		out = append(out, name)
	}
	return out
}

// Save writes figures and tables by name (see Parts) into dir, each in those of the
// formats that it has, and returns the files. What cannot be drawn is returned as
// warnings. dpi is that of PNG; 0: figures.DPI.
func (r *Result) Save(dir string, parts, formats []string, dpi int) (files, warnings []string, err error) {
	for _, f := range formats {
		if all := slices.Concat(FigureFormats, TableFormats); !slices.Contains(all, f) {
			return nil, nil, fmt.Errorf("study: format %q, expected some of %s", f, strings.Join(all, ", "))
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, nil, fmt.Errorf("study: %w", err)
	}
	for _, name := range parts {
		if slices.Contains(drawn, name) {
			if !meet(formats, FigureFormats) {
				continue
			}
			f, err := r.Figure(name)
			if err != nil {
				warnings = append(warnings, strings.Split(err.Error(), "\n")...)
				continue
			}
			for _, format := range FigureFormats {
				if slices.Contains(formats, format) {
					path := filepath.Join(dir, name+"."+format)
					if err := f.Save(path, dpi); err != nil {
						return files, warnings, err
					}
					files = append(files, path)
				}
			}
			continue
		}
		if !meet(formats, TableFormats) {
			continue
		}
		t, err := r.Table(name)
		if err != nil {
			warnings = append(warnings, err.Error())
			continue
		}
		for _, format := range TableFormats {
			if !slices.Contains(formats, format) {
				continue
			}
			path := filepath.Join(dir, name+"."+format)
			text := map[string]func() string{"md": t.Markdown, "tex": t.LaTeX, "csv": t.CSV, "html": t.HTML}[format]
			if err := put(path, text()); err != nil {
				return files, warnings, err
			}
			files = append(files, path)
		}
	}
	return files, warnings, nil
}

// meet reports whether two lists share something.
func meet(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}
