package table

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// texSizes are fonts, and about how many characters of them a line of an article has: the
// second where columns of words would be too narrow in the first.
var texSizes = []struct {
	font string
	line int
}{{"\\footnotesize", 80}, {"\\scriptsize", 93}}

const (
	texGap   = 2  // characters that columns lie apart
	texShort = 14 // columns up to here are never broken
	texPage  = 48 // lines of a page
)

// texEscape writes what LaTeX reads otherwise, or does not know.
var texEscape = strings.NewReplacer(`\`, `\textbackslash{}`, "&", `\&`, "%", `\%`, "$", `\$`, "#", `\#`, "_", `\_`, "{", `\{`, "}", `\}`,
	"~", `\textasciitilde{}`, "^", `\textasciicircum{}`, "\n", " ", "–", "--", "…", `\dots{}`, "‖", `$\|$`, "′", "$'$",
	"↑", `$\uparrow$`, "↓", `$\downarrow$`, "→", `$\to$`, "−", "$-$", "±", `$\pm$`, "×", `$\times$`, "·", `$\cdot$`, "≤", `$\le$`, "≥", `$\ge$`,
	"²", "$^2$", "³", "$^3$", "₁", "$_1$", "₂", "$_2$", "∞", `$\infty$`, "Σ", `$\Sigma$`, "Γ", `$\Gamma$`, "√", `$\surd$`,
	"α", `$\alpha$`, "β", `$\beta$`, "γ", `$\gamma$`, "ε", `$\varepsilon$`, "λ", `$\lambda$`, "μ", `$\mu$`, "π", `$\pi$`, "ρ", `$\rho$`, "σ", `$\sigma$`)

// texBreak is where long names may be broken.
var texBreak = regexp.MustCompile(`(\\_|[A-Za-z]/|[a-z0-9]\.)([A-Za-z]|[0-9]*\\_)`)

// LaTeX renders the table for the packages booktabs and array, and longtable where it
// is longer than a page. It keeps to the width of a text column of an article: columns
// of words are broken, columns of numbers that have no room stand below the others, in
// a further part that repeats the names of the rows.
func (t *Table) LaTeX() string {
	t.check()
	l := newTexLayout(t)
	var b strings.Builder
	b.WriteString("% needs the packages booktabs, array and longtable\n")
	caption := "\\caption{" + texEscape.Replace(t.Caption) + "}\n\\label{tab:" + t.Name + "}"
	size := l.font + "\\setlength{\\tabcolsep}{4pt}\n"
	if l.lines() <= texPage {
		b.WriteString("\\begin{table}\n\\centering\n" + caption + "\n" + size)
		for i, part := range l.parts {
			if i > 0 {
				b.WriteString("\n\\medskip\n")
			}
			l.write(&b, "tabular", "", part)
		}
		b.WriteString("\\end{table}\n")
		return b.String()
	}
	b.WriteString("{" + size)
	for i, part := range l.parts {
		head := caption + " \\\\\n"
		if i > 0 {
			head = fmt.Sprintf("\\multicolumn{%d}{l}{Table \\ref{tab:%s}, continued} \\\\\n", len(part), t.Name)
		}
		l.write(&b, "longtable", head, part)
	}
	b.WriteString("}\n")
	return b.String()
}

// texLayout is how a table is set.
type texLayout struct {
	*Table
	font   string
	line   int     // characters of a line
	splits bool    // columns of numbers do not fit beside those of words
	longs  []int   // characters of the longest cell of each column
	widths []int   // characters that each column gets; fewer than its longest: it is broken
	parts  [][]int // columns, a part below the other
}

func newTexLayout(t *Table) *texLayout {
	l := &texLayout{Table: t}
	for i, c := range t.Columns {
		n := utf8.RuneCountInString(c.Head)
		for _, r := range t.Rows {
			n = max(n, utf8.RuneCountInString(r[i]))
		}
		l.longs = append(l.longs, n)
	}
	for _, size := range texSizes {
		l.font, l.line = size.font, size.line
		numbers := 0
		for i, c := range t.Columns {
			if c.Right {
				numbers += l.longs[i] + texGap
			}
		}
		l.splits = numbers > l.line*2/3
		if l.fit() {
			break
		}
	}
	l.part()
	return l
}

// fit finds the columns' widths: their own where all fit (columns of numbers that get
// parts of their own aside), else the long ones share what is left of a line by the root
// of their length. It reports whether that leaves them wide enough.
func (l *texLayout) fit() bool {
	l.widths = slices.Clone(l.longs)
	whole, left, roots := 0, l.line, 0.0
	long := func(i int) bool { return l.longs[i] > texShort && !(l.splits && l.Columns[i].Right) }
	for i, c := range l.Columns {
		if l.splits && c.Right {
			continue
		}
		whole += l.longs[i] + texGap
		left -= texGap
		if long(i) {
			roots += math.Sqrt(float64(l.longs[i]))
		} else {
			left -= l.longs[i]
		}
	}
	if l.splits { // one column of numbers has room beside them
		whole, left = whole+texShort+texGap, left-texShort-texGap
	}
	if whole <= l.line {
		return true
	}
	room := true
	for i := range l.Columns {
		if long(i) {
			w := int(float64(left) * math.Sqrt(float64(l.longs[i])) / roots)
			room = room && w >= texShort
			l.widths[i] = min(l.longs[i], max(w, texShort/2))
		}
	}
	return room
}

// part puts the columns into parts that fit a line; each begins with the columns of words
// before the first of numbers.
func (l *texLayout) part() {
	if !l.splits {
		l.parts = [][]int{nil}
		for i := range l.Columns {
			l.parts[0] = append(l.parts[0], i)
		}
		return
	}
	var first, part []int
	used, base := 0, 0
	for i, c := range l.Columns {
		w := l.widths[i] + texGap
		if !c.Right && part == nil {
			first, base = append(first, i), base+w
			continue
		}
		if part != nil && used+w > l.line {
			l.parts, part = append(l.parts, part), nil
		}
		if part == nil {
			part, used = slices.Clone(first), base
		}
		part, used = append(part, i), used+w
	}
	l.parts = append(l.parts, part)
}

// lines is about how many lines all parts take.
func (l *texLayout) lines() (n int) {
	for _, part := range l.parts {
		n += 3
		for _, r := range l.Rows {
			most := 1
			for _, i := range part {
				most = max(most, (utf8.RuneCountInString(r[i])+l.widths[i]-1)/max(l.widths[i], 1))
			}
			n += most
		}
	}
	return n
}

// write writes one part.
func (l *texLayout) write(b *strings.Builder, environment, caption string, part []int) {
	b.WriteString("\\begin{" + environment + "}{")
	for _, i := range part {
		side, ragged := "l", "right"
		if l.Columns[i].Right {
			side, ragged = "r", "left"
		}
		if l.widths[i] < l.longs[i] {
			side = fmt.Sprintf(">{\\ragged%s\\arraybackslash}p{%.3f\\linewidth}", ragged, float64(l.widths[i])/float64(l.line))
		}
		b.WriteString(side)
	}
	b.WriteString("}\n" + caption + "\\toprule\n")
	line := func(cells []string) {
		for k, i := range part {
			text := texEscape.Replace(minus(cells[i]))
			if l.widths[i] < l.longs[i] { // long names may be broken
				text = texBreak.ReplaceAllString(text, `$1\allowbreak{}$2`)
			}
			if k > 0 {
				b.WriteString(" & ")
			}
			b.WriteString(text)
		}
		b.WriteString(" \\\\\n")
	}
	line(l.heads())
	b.WriteString("\\midrule\n")
	if environment == "longtable" {
		b.WriteString("\\endhead\n")
	}
	for _, r := range l.Rows {
		line(r)
	}
	b.WriteString("\\bottomrule\n\\end{" + environment + "}\n")
}
