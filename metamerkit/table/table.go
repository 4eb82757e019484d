// Package table is a table of text that renders as Markdown, LaTeX, CSV and HTML. It
// imports the standard library alone.
package table

import (
	"encoding/csv"
	"fmt"
	"html"
	"regexp"
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
			panic(fmt.Sprintf("table: %s has a row of %d cells for %d columns", t.Name, len(r), len(t.Columns)))
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

// hyphen is that before a number.
var hyphen = regexp.MustCompile(`(^|[ (–])-(\d)`)

// minus puts the sign for a hyphen before numbers.
func minus(s string) string { return hyphen.ReplaceAllString(s, "${1}−$2") }

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
	// Where the table is wider than the cell, which scrolls it, the caption is not.
	b.WriteString("<table>\n<caption style=\"text-align:left\"><div style=\"max-width:55em\">" + html.EscapeString(t.Caption) + "</div></caption>\n<thead><tr>")
	cell := func(tag, s string, right bool) {
		align, text := "left", html.EscapeString(minus(s)) // said too: notebooks set cells to the right
		if right {
			align = "right"
			if value, interval, ok := strings.Cut(text, " ("); ok && tag == "td" { // below each other
				text = value + `<br><span style="white-space:nowrap">(` + interval + "</span>"
			}
		}
		b.WriteString("<" + tag + ` style="text-align:` + align + `">` + text + "</" + tag + ">")
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

// MIMEBundle shows the table in a notebook.
func (t *Table) MIMEBundle() (map[string][]byte, error) {
	return map[string][]byte{"text/html": []byte(t.HTML()), "text/latex": []byte(t.LaTeX()), "text/plain": []byte(t.Markdown())}, nil
}
