package cell

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"strings"
)

// A SyntaxError is a syntax error with its place in the cell, from 1.
type SyntaxError struct {
	Line, Column int
	Message      string
	Text         string // the line
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
}

const (
	openMain = "func main() {\n"
	header   = "package main\n"
)

// file renders the cell as one Go file whose positions are the cell's.
func (c *Cell) file() string {
	var b strings.Builder
	b.WriteString(header)
	for _, k := range c.decls {
		c.lineMark(&b, k)
		b.WriteString(c.go_[k.first:k.end])
		b.WriteByte('\n')
	}
	if len(c.body) > 0 {
		b.WriteString(openMain)
		for _, k := range c.body {
			c.lineMark(&b, k)
			b.WriteString(c.go_[k.first:k.end])
			b.WriteByte('\n')
		}
		b.WriteString("}\n")
	}
	return b.String()
}

func (c *Cell) lineMark(b *strings.Builder, k chunk) {
	line, column := c.position(k.first)
	fmt.Fprintf(b, "/*line cell:%d:%d*/", line, column)
}

// Check returns the first syntax error of the cell's Go code, a *SyntaxError, or nil.
func (c *Cell) Check() error {
	_, _, err := c.parse()
	return err
}

func (c *Cell) parse() (*ast.File, *token.FileSet, error) {
	if c.refused != nil {
		return nil, nil, c.refused
	}
	if c.verbatim {
		return nil, nil, nil
	}
	fail := func(pos token.Position, msg string) error {
		e := &SyntaxError{Line: pos.Line, Column: pos.Column, Message: strings.TrimPrefix(msg, "syntax error: ")}
		lines := strings.Split(c.Source, "\n")
		if pos.Filename == "" && c.lex == nil || e.Line > len(lines) || e.Line < 1 {
			e.Line, e.Column = len(lines), len(lines[len(lines)-1])+1
		}
		e.Text = lines[e.Line-1]
		if what, found, ok := strings.Cut(e.Message, ", found "); ok && c.lex == nil && c.depth >= 0 && c.atEnd(e) && found != "" {
			e.Message = what + ", found the end of the cell" // not the bracket that closes the function around it
		}
		return e
	}
	if c.lex != nil {
		return nil, nil, fail(c.lex.Pos, c.lex.Msg)
	}
	if len(c.body) > 0 {
		for _, k := range c.decls {
			if k.tok == token.FUNC && k.name == "main" {
				line, column := c.position(c.body[0].first)
				return nil, nil, fail(token.Position{Filename: "cell", Line: line, Column: column}, "statement outside of func main: a cell has either statements or its own func main")
			}
		}
	}
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "", c.file(), parser.SkipObjectResolution)
	if err != nil {
		var list scanner.ErrorList
		if errors.As(err, &list) && len(list) > 0 {
			return nil, nil, fail(list[0].Pos, list[0].Msg)
		}
		return nil, nil, fail(token.Position{}, err.Error())
	}
	return f, fset, nil
}

// Complete says what is_complete_request asks: "complete", "incomplete" or
// "invalid", and the indentation of the next line of an incomplete cell.
func Complete(source string) (status, indent string) {
	c := Parse(source)
	if c.verbatim {
		return "complete", ""
	}
	if c.openLine {
		return "incomplete", ""
	}
	if c.unclosed {
		return "incomplete", ""
	}
	if c.depth > 0 {
		return "incomplete", strings.Repeat("\t", c.depth)
	}
	if c.mainAt >= 0 && len(c.body) == 0 && len(c.decls) == 0 && strings.TrimSpace(c.mainLine) != "" {
		return "incomplete", ""
	}
	err := c.Check()
	if err == nil {
		return "complete", ""
	}
	var e *SyntaxError
	if errors.As(err, &e) && c.lex == nil && c.depth == 0 && c.atEnd(e) {
		return "incomplete", ""
	}
	return "invalid", ""
}

// atEnd reports whether only white space follows the error's place: more text
// could heal it.
func (c *Cell) atEnd(e *SyntaxError) bool {
	lines := strings.Split(c.go_, "\n")
	rest := strings.Join(lines[e.Line-1:], "\n")
	if e.Column-1 > len(rest) {
		return true
	}
	rest = strings.TrimSpace(rest[max(0, e.Column-1):])
	return rest == "" || strings.HasPrefix(rest, "//")
}
