package cell

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"strconv"
	"strings"
)

// DisplayPackage is the package that cells with a value import, as displayName.
const (
	DisplayPackage = "github.com/ensemble-metamers/metamers/metamerkit/display"
	displayName    = "metamersDisplay"
)

// ResultCall stands before the last expression of a rendered cell, NoneCall where
// it turned out that it has no value.
const (
	ResultCall = displayName + ".Result("
	NoneCall   = displayName + ".None()"
)

// ID names a cell by its text: the program of a cell that is run again unchanged is
// the same, byte for byte.
func ID(source string) string {
	sum := sha256.Sum256([]byte(source))
	return hex.EncodeToString(sum[:5])
}

// mark returns the comment that says that what follows is from a line and column,
// from 1, of the cell. kernel/shim makes the compiler's line directive of it; a
// directive at once would confuse GoNB.
func mark(id string, line, column int) string {
	return fmt.Sprintf("/*cell %s:%d:%d*/", id, line, column)
}

// MarkPattern matches a mark; its parts are cell, line and column.
var MarkPattern = regexp.MustCompile(`/\*cell ([0-9a-f]+):(\d+):(\d+)\*/`)

// Render returns the cell as GoNB is to run it, and whether its last expression is
// displayed.
func (c *Cell) Render() (code string, value bool) {
	if c.verbatim {
		first := len(c.line(0))
		return script(c.Source[:first]) + c.edited(c.Source, first, len(c.Source)), false
	}
	var b strings.Builder
	n := ID(c.Source)
	for _, s := range c.special {
		b.WriteString(shell(c.Source[s.start:s.end]) + "\n")
	}
	from, to, value := c.lastExpression()
	if value {
		fmt.Fprintf(&b, "import %s %s\n", displayName, strconv.Quote(DisplayPackage))
	}
	for _, k := range c.decls {
		b.WriteString(c.docComment(k))
		b.WriteString(c.marked(n, k) + "\n")
	}
	if c.mainAt < 0 && len(c.body) == 0 {
		return b.String(), false
	}
	if c.mainAt >= 0 {
		b.WriteString(c.mainLine + "\n")
	} else {
		b.WriteString("%%\n")
	}
	for _, k := range c.body {
		line, column := c.position(k.first)
		text := c.edited(c.go_, k.first, k.end)
		if value && from >= k.first && to <= k.end {
			l, col := c.position(from)
			text = c.edited(c.go_, k.first, from) + ResultCall + mark(n, l, col) + c.edited(c.go_, from, to) + ")" + c.edited(c.go_, to, k.end)
		}
		b.WriteString(mark(n, line, column) + text + "\n")
	}
	return b.String(), value
}

// docComment returns the comment lines directly before a declaration.
func (c *Cell) docComment(k chunk) string {
	if k.tok == token.IMPORT {
		return ""
	}
	text := strings.TrimLeft(c.edited(c.go_, k.start, k.first), " \t\n;")
	if !strings.HasPrefix(text, "/") {
		return ""
	}
	return strings.TrimRight(text, " \t\n") + "\n"
}

// marked returns the text of a declaration with a mark where GoNB keeps it: behind
// "func", and behind the name of a type.
func (c *Cell) marked(n string, k chunk) string {
	at := -1
	switch {
	case k.tok == token.FUNC:
		at = k.next
	case k.tok == token.TYPE && k.kind == token.IDENT:
		at = k.next + len(k.name)
	}
	if at < 0 {
		return c.edited(c.go_, k.first, k.end)
	}
	line, column := c.position(at)
	return c.edited(c.go_, k.first, at) + mark(n, line, column) + c.edited(c.go_, at, k.end)
}

// lastExpression returns where the cell's last statement is, if it is an
// expression whose value is to be shown: not where the line ends in a semicolon,
// and not a call of a function known for what it does rather than for its value.
func (c *Cell) lastExpression() (from, to int, ok bool) {
	if len(c.body) == 0 {
		return 0, 0, false
	}
	f, fset, err := c.parse()
	if err != nil || f == nil {
		return 0, 0, false
	}
	var last ast.Stmt
	for _, d := range f.Decls {
		if fn, is := d.(*ast.FuncDecl); is && fn.Recv == nil && fn.Name.Name == "main" && fn.Body != nil && len(fn.Body.List) > 0 {
			last = fn.Body.List[len(fn.Body.List)-1]
		}
	}
	x, is := last.(*ast.ExprStmt)
	if !is || silent(x.X) {
		return 0, 0, false
	}
	k := c.body[len(c.body)-1]
	if strings.HasSuffix(strings.TrimSpace(c.go_[k.first:k.end]), ";") {
		return 0, 0, false
	}
	offset := func(p token.Pos) int {
		at := fset.Position(p)
		return c.offset(at.Line, at.Column)
	}
	return offset(x.Pos()), offset(x.End()), true
}

// silent reports calls of builtins without a value and of printing functions.
func silent(x ast.Expr) bool {
	call, ok := x.(*ast.CallExpr)
	if !ok {
		return false
	}
	switch f := call.Fun.(type) {
	case *ast.Ident:
		switch f.Name {
		case "panic", "print", "println", "close", "delete", "clear", "copy":
			return true
		}
	case *ast.SelectorExpr:
		if p, ok := f.X.(*ast.Ident); ok {
			switch p.Name {
			case "fmt":
				return strings.HasPrefix(f.Sel.Name, "Print") || strings.HasPrefix(f.Sel.Name, "Fprint") || strings.Contains(f.Sel.Name, "canf") || strings.Contains(f.Sel.Name, "canln")
			case "log", "gonbui":
				return true
			case "os":
				return f.Sel.Name == "Exit"
			}
		}
	}
	return false
}
