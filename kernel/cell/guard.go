package cell

import (
	"go/token"
	"sort"
	"strconv"
	"strings"
)

// An edit replaces a part of the Go text when the cell is rendered.
type edit struct {
	span
	text string
}

// misread reports whether GoNB, which reads lines, not tokens, would take a line of Go
// text for a command or for a package clause, which it drops.
func misread(line string) bool { return isSpecial(line) || strings.HasPrefix(line, "package") }

// guard looks at one token of the Go text, in a chunk that begins with the token first:
// it notes the edits after which GoNB reads the text as Go does, and refuses what cannot
// work in a cell.
func (c *Cell) guard(off int, tok token.Token, lit string, first token.Token) {
	end := off + len(lit)
	switch {
	case tok == token.COMMENT && strings.HasPrefix(lit, "//"):
		if c.lineStart(off) && misread(c.line(off)) {
			c.edits = append(c.edits, edit{span{off, off}, " "})
		}
		if name, _, _ := strings.Cut(strings.TrimRight(lit, "\r"), " "); name == "//go:embed" {
			c.refuse(off, "//go:embed does not work in a cell: read the file with os.ReadFile, or import a package that embeds it")
		}
	case tok == token.COMMENT:
		if i := strings.Index(c.Source[off+2:], "*/"); i >= 0 { // lit has no carriage returns
			end = off + 2 + i + 2
		}
		for _, at := range c.misreadLines(off, end) {
			c.edits = append(c.edits, edit{span{at, at}, " "})
		}
	case tok == token.STRING && lit[0] == '`':
		if i := strings.IndexByte(c.Source[off+1:], '`'); i >= 0 {
			end = off + 1 + i + 1
		}
		if len(c.misreadLines(off, end)) > 0 {
			c.edits = append(c.edits, edit{span{off, end}, strconv.Quote(strings.Trim(lit, "`")) + c.mark(end)})
		}
	case c.lineStart(off) && tok != token.PACKAGE && misread(c.line(off)):
		c.edits = append(c.edits, edit{span{off, off}, c.mark(off)})
	}
	if tok == token.STRING && first == token.IMPORT && strings.Trim(lit, "`\"") == "C" {
		c.refuse(off, `cgo does not work in a cell: put the code into a package of its own and import that instead of "C"`)
	}
}

// misreadLines returns the offsets of lines behind the first of a part of the source
// that GoNB would misread.
func (c *Cell) misreadLines(from, to int) (at []int) {
	first, _ := c.position(from)
	for _, start := range c.lines[first:] {
		if start >= to {
			break
		}
		if misread(c.line(start)) {
			at = append(at, start)
		}
	}
	return at
}

// refuse notes why the cell cannot be run; the first reason stays.
func (c *Cell) refuse(off int, why string) {
	if c.refused == nil {
		line, column := c.position(off)
		c.refused = &SyntaxError{Line: line, Column: column, Message: why, Text: c.line(c.lines[line-1])}
	}
}

func (c *Cell) mark(off int) string {
	if c.id == "" {
		c.id = ID(c.Source)
	}
	line, column := c.position(off)
	return mark(c.id, line, column)
}

// edited returns a part of src, the source or go_, with the edits carried out.
func (c *Cell) edited(src string, from, to int) string {
	var b strings.Builder
	at := sort.Search(len(c.edits), func(i int) bool { return c.edits[i].start >= from })
	for _, e := range c.edits[at:] {
		if e.start >= to {
			break
		}
		b.WriteString(src[from:e.start] + e.text)
		from = e.end
	}
	b.WriteString(src[from:to])
	return b.String()
}
