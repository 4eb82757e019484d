package state

import (
	"fmt"
	"go/token"
	"sort"
	"strings"

	"github.com/ensemble-metamers/metamers/kernel/cell"
)

// A text is Go source put together from pieces of a cell and from what is added to them.
// It is read by the type checker as it is, and written with edits for the compiler.
type text struct {
	b     strings.Builder
	parts []part
	edits []change
}

// A part is a piece of the cell within the text.
type part struct {
	from, to int   // in the text
	source   int   // offset in the cell
	twice    bool  // another part has the same piece
	decl     bool  // stands outside of the cell's function
	carried  *decl // of another cell
}

// A change replaces a part of the text.
type change struct {
	from, to int
	text     string
}

func (t *text) add(s string) { t.b.WriteString(s) }

// piece adds a piece of the cell that starts at an offset in it.
func (t *text) piece(s string, source int, twice, decl bool) {
	p := part{from: t.b.Len(), source: source, twice: twice, decl: decl}
	t.b.WriteString(s)
	p.to = t.b.Len()
	t.parts = append(t.parts, p)
	t.b.WriteString("\n")
}

// find returns the part that an offset of the text lies in.
func (t *text) find(at int) (part, bool) {
	i := sort.Search(len(t.parts), func(i int) bool { return t.parts[i].to >= at })
	if i < len(t.parts) && t.parts[i].from <= at {
		return t.parts[i], true
	}
	return part{}, false
}

func (t *text) change(from, to int, s string) { t.edits = append(t.edits, change{from, to, s}) }

// write returns the parts of one kind with the edits carried out, each after a line
// directive of the cell.
func (t *text) write(c *cell.Cell, id string, decl bool) string {
	sort.SliceStable(t.edits, func(i, j int) bool {
		a, b := t.edits[i], t.edits[j]
		return a.from < b.from || a.from == b.from && a.to < b.to
	})
	all := t.b.String()
	var b strings.Builder
	for _, p := range t.parts {
		if p.twice || p.decl != decl {
			continue
		}
		from, at := id, c
		if p.carried != nil {
			from, at = p.carried.id, p.carried.cell
		}
		line, column := at.Position(p.source)
		fmt.Fprintf(&b, "/*line Cell[%s]:%d:%d*/", from, line, column)
		done := p.from
		first := sort.Search(len(t.edits), func(i int) bool { return t.edits[i].from >= p.from })
		for _, e := range t.edits[first:] {
			if e.from > p.to {
				break
			}
			b.WriteString(all[done:e.from] + e.text)
			done = e.to
		}
		b.WriteString(all[done:p.to] + "\n")
	}
	return b.String()
}

// A Problem is what is wrong with a cell, with its place in it; Line is 0 where it has
// none.
type Problem struct {
	Line, Column int
	Message      string
	Hint         string
}

func offsetOf(fset *token.FileSet, p token.Pos) int { return fset.PositionFor(p, false).Offset }
