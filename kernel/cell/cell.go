// Package cell understands the text of a notebook cell: Go declarations and
// statements, and GoNB's special lines ("%%", "%command", "!shell"). It says
// whether a cell is complete, finds syntax errors with the cell's own line
// numbers, and renders the cell as GoNB wants it: statements collected behind a
// "%%", the last expression handed to display.Result, and a mark before every
// piece that tells the compiler (kernel/shim) from which cell and line it is.
package cell

import (
	"go/scanner"
	"go/token"
	"sort"
	"strings"
)

// A Cell is a cell taken apart.
type Cell struct {
	Source   string
	Own      []string // lines of commands that the kernel carries out itself, such as "%help"
	special  []span   // GoNB's special lines
	mainLine string   // the line that starts main: "%%", "%% args", "%main"; "" if there is none
	verbatim bool     // GoNB gets the cell as it is: "%%bash", "%%writefile", ..., "%test"
	openLine bool     // ends in a special line that goes on
	go_      string   // Source with special lines blanked: same length, same lines
	lines    []int    // offsets of the lines
	edits    []edit   // where GoNB would misread the Go text
	id       string   // ID of the source, once a mark needed it
	refused  *SyntaxError
	mainAt   int // offset behind mainLine; -1 without one
	decls    []chunk
	body     []chunk
	lex      *scanner.Error // the first
	depth    int            // open brackets at the end
	unclosed bool

	before struct{ own, special int } // how many lines of each stand before the end of the Go code
}

// A span is a part of the source.
type span struct{ start, end int }

// A chunk is one top-level declaration or statement with the comments before it.
type chunk struct {
	span
	first int         // offset of the first token
	tok   token.Token // the first token
	next  int         // offset of the second token
	kind  token.Token // of the second token
	name  string      // text of the second token
}

// own are the commands that the kernel carries out itself; %%time and %%timeit are %time and
// %timeit, as people know them from IPython.
var own = map[string]bool{"%time": true, "%timeit": true, "help": true, "require": true, "state": true, "vars": true, "restart": true, "time": true, "timeit": true, "reset": true}

var cellCommands = map[string]bool{"%%writefile": true, "%%script": true, "%%bash": true, "%%sh": true, "%%gx": true}

// gonbPrefix may stand before special lines, so that editors see comments.
const gonbPrefix = "//gonb:"

// Parse takes a cell apart. It never fails: Check says what is wrong with it.
func Parse(source string) *Cell {
	c := &Cell{Source: source, mainAt: -1, lines: []int{0}}
	for i := range len(source) {
		if source[i] == '\n' {
			c.lines = append(c.lines, i+1)
		}
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(c.line(0), gonbPrefix), " ")
	if cellCommands[strings.TrimSpace(first)] {
		c.verbatim = true
		return c
	}
	c.scan()
	return c
}

// Empty reports whether nothing is left for GoNB.
func (c *Cell) Empty() bool {
	return !c.verbatim && len(c.special) == 0 && c.mainAt < 0 && len(c.decls) == 0 && len(c.body) == 0
}

// HasGo reports whether the cell has Go code (or asks GoNB to run some).
func (c *Cell) HasGo() bool { return c.mainAt >= 0 || len(c.decls) > 0 || len(c.body) > 0 }

// line returns the rest of the line at an offset.
func (c *Cell) line(at int) string {
	rest, _, _ := strings.Cut(c.Source[at:], "\n")
	return rest
}

// isSpecial reports whether a line has the form of a special line.
func isSpecial(line string) bool {
	text := strings.TrimPrefix(line, gonbPrefix)
	return len(text) > 1 && (text[0] == '%' || text[0] == '!')
}

// scan finds the special lines and the chunks. A line is special only where a statement
// or declaration can begin outside of all brackets: not within a string, a comment, or
// an expression that goes on. Chunks end at the semicolons, written or implied, outside
// of all brackets.
func (c *Cell) scan() {
	src, blank := []byte(c.Source), []byte(c.Source)
	var s scanner.Scanner
	var file *token.File
	base := 0 // where the scanner began
	begin := func(at int) {
		base = at
		fset := token.NewFileSet()
		file = fset.AddFile("", fset.Base(), len(c.Source)-at)
		s.Init(file, src[at:], func(pos token.Position, msg string) {
			if c.lex == nil {
				pos.Line, pos.Column = c.position(base + pos.Offset)
				c.lex = &scanner.Error{Pos: pos, Msg: msg}
			}
			if strings.Contains(msg, "raw string literal not terminated") || strings.Contains(msg, "comment not terminated") {
				c.unclosed = true
			}
		}, scanner.ScanComments)
	}
	var all []chunk
	cur := chunk{first: -1, next: -1}
	last := 0 // end of the previous chunk
	flush := func(end int) {
		if cur.first >= 0 {
			cur.start, cur.end = last, end
			all = append(all, cur)
		}
		last = end
		cur = chunk{first: -1, next: -1}
	}
	begin(0)
	for fresh := true; ; { // fresh: a statement can begin
		pos, tok, lit := s.Scan()
		off := base + file.Offset(pos)
		if tok == token.EOF {
			flush(len(c.Source))
			break
		}
		if fresh && c.depth <= 0 && c.startsLine(off) && isSpecial(c.line(off)) {
			end := c.takeSpecial(off)
			for i := off; i < end; i++ {
				if blank[i] != '\n' {
					blank[i] = ' '
				}
			}
			begin(end)
			continue
		}
		c.guard(off, tok, lit, cur.tok)
		if tok == token.COMMENT {
			continue
		}
		fresh = tok == token.SEMICOLON
		switch tok {
		case token.LBRACE, token.LPAREN, token.LBRACK:
			c.depth++
		case token.RBRACE, token.RPAREN, token.RBRACK:
			c.depth--
		case token.SEMICOLON:
			if c.depth <= 0 {
				if lit == ";" {
					off++
				}
				flush(min(off, len(c.Source)))
				continue
			}
		}
		if cur.first < 0 {
			cur.first, cur.tok = off, tok
			c.before.own, c.before.special = len(c.Own), len(c.special)
			if c.mainAt >= 0 && off >= c.mainAt && last < c.mainAt {
				last = c.mainAt // comments before "%%" stay there
			}
		} else if cur.next < 0 {
			cur.next, cur.kind, cur.name = off, tok, lit
		}
	}
	c.go_ = string(blank)
	for _, k := range all {
		inMain := c.mainAt >= 0 && k.first >= c.mainAt
		switch {
		case k.tok == token.PACKAGE: // GoNB writes its own
		case k.tok == token.IMPORT, k.tok == token.FUNC && (k.kind == token.IDENT || k.isMethod(c.go_)):
			c.decls = append(c.decls, k)
		case k.tok == token.TYPE && !inMain:
			c.decls = append(c.decls, k)
		case (k.tok == token.VAR || k.tok == token.CONST) && !inMain && len(c.body) == 0:
			c.decls = append(c.decls, k)
		default:
			c.body = append(c.body, k)
		}
	}
}

// takeSpecial takes the special line at an offset, with the lines in which it goes on
// after a backslash, and returns where it ends.
func (c *Cell) takeSpecial(start int) (end int) {
	end = start + len(c.line(start))
	c.openLine = strings.HasSuffix(c.Source[start:end], "\\")
	for c.openLine && end < len(c.Source) {
		more := c.line(end + 1)
		c.openLine = strings.HasSuffix(more, "\\")
		end += 1 + len(more)
	}
	line := c.Source[start:end]
	text := strings.TrimPrefix(line, gonbPrefix)
	word, _, _ := strings.Cut(strings.Join(strings.Fields(text[1:]), " "), " ")
	switch {
	case word == "": // GoNB fails at a command without a word
	case text[0] == '%' && own[word]:
		c.Own = append(c.Own, strings.TrimSpace(strings.ReplaceAll(text, "\\\n", " ")))
	case text[0] == '%' && (word == "%" || word == "main") && c.mainAt < 0:
		c.mainLine, c.mainAt = line, end
	default:
		if text[0] == '%' && (word == "test" || word == "wasm") {
			c.verbatim = true
		}
		c.special = append(c.special, span{start, end})
	}
	return end
}

// lineStart reports whether a line begins at an offset.
func (c *Cell) lineStart(at int) bool { return at == 0 || c.Source[at-1] == '\n' }

// startsLine reports whether a special line may begin at an offset: at the beginning of a
// line; a command with % may be indented, as in IPython, since no statement begins so.
func (c *Cell) startsLine(at int) bool {
	if c.Source[at] == '%' {
		at = len(strings.TrimRight(c.Source[:at], " \t"))
	}
	return c.lineStart(at)
}

// isMethod tells "func (r T) Name(" from a call of a function literal.
func (k chunk) isMethod(src string) bool {
	if k.kind != token.LPAREN {
		return false
	}
	depth := 0
	for i := k.next; i < k.end; i++ {
		switch src[i] {
		case '(':
			depth++
		case ')':
			depth--
			if depth == 0 {
				rest := strings.TrimLeft(src[i+1:k.end], " \t")
				name := 0
				for name < len(rest) && (rest[name] == '_' || rest[name] >= '0' && rest[name] <= '9' || rest[name] >= 'A' && rest[name] <= 'Z' || rest[name] >= 'a' && rest[name] <= 'z' || rest[name] >= 0x80) {
					name++
				}
				return name > 0 && strings.HasPrefix(strings.TrimLeft(rest[name:], " \t"), "(") && rest[:name] != "func"
			}
		}
	}
	return false
}

// position returns line and column, from 1, of an offset of the source.
func (c *Cell) position(offset int) (line, column int) {
	line = sort.SearchInts(c.lines, offset+1)
	return line, offset - c.lines[line-1] + 1
}

// offset is the inverse of position.
func (c *Cell) offset(line, column int) int { return c.lines[line-1] + column - 1 }
