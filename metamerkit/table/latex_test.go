package table

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// tables are those that LaTeX finds hardest: many columns of numbers, long words, long
// texts, more rows than a page has.
func hard() []*Table {
	numbers := &Table{Name: "numbers", Caption: "Many & 100 %.", Columns: []Column{{"model set", false}, {"stage", false}}}
	for k := range 14 {
		numbers.Columns = append(numbers.Columns, Column{fmt.Sprintf("spectral slope α%d ↓", k), true})
	}
	long := &Table{Name: "long", Caption: "Long.", Columns: []Column{{"model", false}, {"stage", false}, {"reason", false}}}
	words := &Table{Name: "words", Caption: "Words.", Columns: []Column{{"claim", false}, {"verdict", false}, {"number", true}, {"95 % interval", true}, {"p", true}, {"compared", false}}}
	for i := range 30 {
		row := []string{"vit_tiny_patch16_224.augreg_in21k_ft_in1k", "middle"}
		long.Rows = append(long.Rows, append(row[:2:2], "end of the first stage, patches of two of the image's pixels, ‖F(x′)−F(x)‖ ≤ ∞"), append(row[:2:2], "–"))
		for range 14 {
			row = append(row, "0.583 (-0.250–0.833)")
		}
		if numbers.Rows = append(numbers.Rows, row); i < 4 {
			words.Rows = append(words.Rows, []string{"Ensembles' metamers are recognized more often than single models'", "not supported", "-0.500 standard deviations", "-0.658 to -0.381", "0.00098", strings.Repeat("Recognizability of an ensemble's metamer minus that of a single model's. ", 4)})
		}
	}
	return []*Table{numbers, long, words}
}

// Every number stands once, every part has the columns of words before it, and nothing
// is left that LaTeX does not know.
func TestLaTeXParts(t *testing.T) {
	for _, table := range hard() {
		text := table.LaTeX()
		if strings.Count(text, "{") != strings.Count(text, "}") || regexp.MustCompile(`[^\x00-\xff]`).MatchString(text) {
			t.Errorf("%s: braces that do not match, or letters that LaTeX lacks", table.Name)
		}
		if n := strings.Count(text, "$-$"); table.Name == "numbers" && (n != 30*14 || strings.Count(text, `\begin{longtable}`) < 3) {
			t.Errorf("%d numbers in %d parts", n, strings.Count(text, `\begin{longtable}`))
		}
	}
	one := &Table{Name: "one", Columns: []Column{{"a", false}, {"b", true}}, Rows: [][]string{{"x", "1"}}}
	if text := one.LaTeX(); !strings.Contains(text, `\begin{tabular}{lr}`) || strings.Contains(text, "longtable}{") {
		t.Errorf("a small table: %s", text)
	}
}

// LaTeX sets every table without an error, within the width of the text.
func TestLaTeXCompiles(t *testing.T) {
	pdflatex, err := exec.LookPath("pdflatex")
	if err != nil {
		t.Skip("no pdflatex here (apt-get install texlive-latex-recommended)")
	}
	dir := t.TempDir()
	doc := "\\documentclass{article}\n\\usepackage[T1]{fontenc}\n\\usepackage{lmodern,booktabs,array,longtable}\n\\begin{document}\n"
	for _, table := range hard() {
		doc += table.LaTeX()
	}
	if err := os.WriteFile(filepath.Join(dir, "all.tex"), []byte(doc+"\\end{document}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(pdflatex, "-interaction=nonstopmode", "-halt-on-error", "all.tex")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out[max(0, len(out)-3000):])
	}
	for _, m := range regexp.MustCompile(`Overfull \\hbox \(([0-9.]+)pt too wide\)[^\n]*`).FindAllStringSubmatch(string(out), -1) {
		if pt, _ := strconv.ParseFloat(m[1], 64); pt > 10 {
			t.Errorf("%s", m[0])
		}
	}
}
