package cell

import (
	"go/ast"
	"go/token"
	"strings"
)

// A Piece is a top-level declaration or statement of a cell.
type Piece struct {
	Kind  token.Token // IMPORT, FUNC, TYPE, CONST; VAR and all else are statements
	Start int         // offset in the source
	Text  string
}

// Pieces returns the declarations and statements of the cell in their order.
func (c *Cell) Pieces() (out []Piece) {
	add := func(list []chunk, decl bool) {
		for _, k := range list {
			p := Piece{Kind: token.ILLEGAL, Start: k.first, Text: c.go_[k.first:k.end]}
			if decl || k.tok == token.CONST || k.tok == token.TYPE {
				p.Kind = k.tok
			}
			out = append(out, p)
		}
	}
	add(c.decls, true)
	add(c.body, false)
	return out
}

// Plain reports whether the cell is Go code alone, without GoNB's commands and "%%".
func (c *Cell) Plain() bool { return !c.verbatim && c.mainAt < 0 && len(c.special) == 0 }

// Program reports whether the cell is a program of its own ("%%", "%main") or not the
// kernel's to read ("%%bash", "%test").
func (c *Cell) Program() bool { return c.verbatim || c.mainAt >= 0 }

// Commands returns GoNB's special lines, as GoNB is to get them: those that stand before the
// end of the Go code, and those behind it.
func (c *Cell) Commands() (before, after []string) {
	var all []string
	for _, s := range c.special {
		all = append(all, shell(c.Source[s.start:s.end]))
	}
	return all[:c.before.special], all[c.before.special:]
}

// OwnCommands returns the lines of Own in the same way, but %require always comes before the
// code, which may import what it adds.
func (c *Cell) OwnCommands() (before, after []string) {
	for i, line := range c.Own {
		if i < c.before.own || strings.HasPrefix(line, "%require") {
			before = append(before, line)
		} else {
			after = append(after, line)
		}
	}
	return before, after
}

// Position returns line and column, from 1, of an offset of the source.
func (c *Cell) Position(offset int) (line, column int) { return c.position(offset) }

// Quiet reports whether the value of an expression that ends a cell is not to be shown:
// that of a function which is called for what it does.
func Quiet(x ast.Expr) bool { return silent(x) }

// Silenced reports whether the last piece ends in a semicolon.
func (c *Cell) Silenced() bool {
	if len(c.body) == 0 {
		return true
	}
	k := c.body[len(c.body)-1]
	return strings.HasSuffix(strings.TrimSpace(c.go_[k.first:k.end]), ";")
}
