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
	"strings"
)

// A Cell is a cell taken apart.
type Cell struct {
	Source   string
	Own      []string // lines of commands that the kernel carries out itself, such as "%help"
	special  []span   // GoNB's special lines
	mainLine string   // the line that starts main: "%%", "%% args", "%main"; "" if there is none
	foreign  bool     // the whole cell is for GoNB: "%%bash", "%%writefile", ..., or "%test"
	openLine bool     // ends in a special line that goes on
	go_      string   // Source with special lines blanked: same length, same lines
	mainAt   int      // offset behind mainLine; -1 without one
	decls    []chunk
	body     []chunk
	lex      scanner.ErrorList
	depth    int // open brackets at the end
	unclosed bool
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

// own are the commands that the kernel carries out itself.
var own = map[string]bool{"help": true, "require": true}

var cellCommands = map[string]bool{"%%writefile": true, "%%script": true, "%%bash": true, "%%sh": true, "%%gx": true}

// gonbPrefix may stand before special lines, so that editors see comments.
const gonbPrefix = "//gonb:"

// Parse takes a cell apart. It never fails: Check says what is wrong with it.
func Parse(source string) *Cell {
	c := &Cell{Source: source, mainAt: -1}
	c.findSpecial()
	if !c.foreign {
		c.findChunks()
	}
	return c
}

// Empty reports whether nothing is left for GoNB.
func (c *Cell) Empty() bool {
	return !c.foreign && len(c.special) == 0 && c.mainAt < 0 && len(c.decls) == 0 && len(c.body) == 0
}

// HasGo reports whether the cell has Go code (or asks GoNB to run some).
func (c *Cell) HasGo() bool { return c.mainAt >= 0 || len(c.decls) > 0 || len(c.body) > 0 }

func (c *Cell) findSpecial() {
	blank := []byte(c.Source)
	continues := false
	mine := false
	for start := 0; start < len(c.Source); {
		end := start + strings.IndexByte(c.Source[start:]+"\n", '\n')
		end = min(end, len(c.Source))
		line := c.Source[start:end]
		text := strings.TrimPrefix(line, gonbPrefix)
		if start == 0 {
			if word, _, _ := strings.Cut(text, " "); cellCommands[strings.TrimSpace(word)] {
				c.foreign = true
				return
			}
		}
		isSpecial := continues || len(text) > 1 && (text[0] == '%' || text[0] == '!')
		if isSpecial {
			word := ""
			if f := strings.Fields(strings.TrimLeft(text[min(1, len(text)):], " \t")); len(f) > 0 {
				word = f[0]
			}
			switch {
			case continues && mine:
				c.Own[len(c.Own)-1] += "\n" + line
			case continues:
				c.special = append(c.special, span{start, end})
			case text[0] == '%' && own[word]:
				c.Own = append(c.Own, strings.TrimSpace(text))
				mine = true
			case text[0] == '%' && (word == "%" || word == "main") && c.mainAt < 0:
				c.mainLine, c.mainAt, mine = line, end, false
			default:
				if text[0] == '%' && (word == "test" || word == "wasm") {
					c.foreign = true
				}
				c.special = append(c.special, span{start, end})
				mine = false
			}
			for i := start; i < end; i++ {
				blank[i] = ' '
			}
			continues = strings.HasSuffix(line, "\\")
		}
		start = end + 1
	}
	c.openLine = continues
	c.go_ = string(blank)
}

// findChunks splits the Go text at the semicolons, written or implied, outside
// of all brackets.
func (c *Cell) findChunks() {
	fset := token.NewFileSet()
	file := fset.AddFile("", fset.Base(), len(c.go_))
	var s scanner.Scanner
	s.Init(file, []byte(c.go_), func(pos token.Position, msg string) {
		c.lex = append(c.lex, &scanner.Error{Pos: pos, Msg: msg})
		if strings.Contains(msg, "raw string literal not terminated") || strings.Contains(msg, "comment not terminated") {
			c.unclosed = true
		}
	}, 0)
	cur := chunk{first: -1, next: -1}
	last := 0 // end of the previous chunk
	var all []chunk
	flush := func(end int) {
		if cur.first >= 0 {
			cur.start, cur.end = last, end
			all = append(all, cur)
		}
		last = end
		cur = chunk{first: -1, next: -1}
	}
	for {
		pos, tok, lit := s.Scan()
		off := file.Offset(pos)
		if tok == token.EOF {
			flush(len(c.go_))
			break
		}
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
				flush(min(off, len(c.go_)))
				continue
			}
		}
		if cur.first < 0 {
			cur.first, cur.tok = off, tok
			if c.mainAt >= 0 && off >= c.mainAt && last < c.mainAt {
				last = c.mainAt // comments before "%%" stay there
			}
		} else if cur.next < 0 {
			cur.next, cur.kind, cur.name = off, tok, lit
		}
	}
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
	before := c.Source[:offset]
	return strings.Count(before, "\n") + 1, offset - strings.LastIndexByte(before, '\n')
}
