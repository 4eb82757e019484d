package figures

import (
	"encoding/csv"
	"fmt"
	"html"
	"strings"
)

// Table is a table of text that renders as Markdown, LaTeX, CSV and HTML.
type Table struct {
	Name    string // file name without an ending, such as table1
	Title   string
	Caption string
	Columns []Column
	Rows    [][]string // as many cells as columns
}

// Column is a heading and how its cells are set.
type Column struct {
	Head  string
	Right bool // numbers
}

// check panics on a row of the wrong length, a mistake of the program.
func (t *Table) check() {
	for _, r := range t.Rows {
		if len(r) != len(t.Columns) {
			panic(fmt.Sprintf("figures: %s has a row of %d cells for %d columns", t.Name, len(r), len(t.Columns)))
		}
	}
}

func (t *Table) heads() []string {
	out := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		out[i] = c.Head
	}
	return out
}

// Markdown renders a table of GitHub's kind.
func (t *Table) Markdown() string {
	t.check()
	cell := strings.NewReplacer("|", `\|`, "\n", " ")
	var b strings.Builder
	row := func(cells []string) {
		for _, c := range cells {
			b.WriteString("| " + cell.Replace(c) + " ")
		}
		b.WriteString("|\n")
	}
	row(t.heads())
	for _, c := range t.Columns {
		b.WriteString(map[bool]string{false: "|---", true: "|---:"}[c.Right])
	}
	b.WriteString("|\n")
	for _, r := range t.Rows {
		row(r)
	}
	return b.String()
}

// LaTeX renders a table environment for the package booktabs.
func (t *Table) LaTeX() string {
	t.check()
	esc := strings.NewReplacer(`\`, `\textbackslash{}`, "&", `\&`, "%", `\%`, "$", `\$`, "#", `\#`, "_", `\_`, "{", `\{`, "}", `\}`,
		"~", `\textasciitilde{}`, "^", `\textasciicircum{}`, "↑", `$\uparrow$`, "↓", `$\downarrow$`, "–", "--", "−", "$-$", "±", `$\pm$`, "²", "$^2$", "∞", `$\infty$`, "ε", `$\varepsilon$`, "→", `$\to$`, "×", `$\times$`)
	line := func(cells []string) string {
		out := make([]string, len(cells))
		for i, c := range cells {
			out[i] = esc.Replace(strings.ReplaceAll(c, "\n", " "))
		}
		return strings.Join(out, " & ") + ` \\` + "\n"
	}
	var b strings.Builder
	b.WriteString("\\begin{table}\n\\centering\n\\caption{" + esc.Replace(t.Caption) + "}\n\\label{tab:" + t.Name + "}\n\\begin{tabular}{")
	for _, c := range t.Columns {
		b.WriteString(map[bool]string{false: "l", true: "r"}[c.Right])
	}
	b.WriteString("}\n\\toprule\n" + line(t.heads()) + "\\midrule\n")
	for _, r := range t.Rows {
		b.WriteString(line(r))
	}
	b.WriteString("\\bottomrule\n\\end{tabular}\n\\end{table}\n")
	return b.String()
}

// CSV renders the cells as they are, with a head.
func (t *Table) CSV() string {
	t.check()
	var b strings.Builder
	w := csv.NewWriter(&b)
	// A strings.Builder never fails, so neither does the writer.
	_ = w.Write(t.heads())
	_ = w.WriteAll(t.Rows)
	return b.String()
}

// HTML renders a table element without styles or scripts beyond its alignment.
func (t *Table) HTML() string {
	t.check()
	var b strings.Builder
	b.WriteString("<table>\n<caption>" + html.EscapeString(t.Caption) + "</caption>\n<thead><tr>")
	cell := func(tag, s string, right bool) {
		align := ""
		if right {
			align = ` style="text-align:right"`
		}
		b.WriteString("<" + tag + align + ">" + html.EscapeString(s) + "</" + tag + ">")
	}
	for _, c := range t.Columns {
		cell("th", c.Head, c.Right)
	}
	b.WriteString("</tr></thead>\n<tbody>\n")
	for _, r := range t.Rows {
		b.WriteString("<tr>")
		for i, c := range r {
			cell("td", c, t.Columns[i].Right)
		}
		b.WriteString("</tr>\n")
	}
	b.WriteString("</tbody>\n</table>\n")
	return b.String()
}
