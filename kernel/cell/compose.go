package cell

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// A Memory knows what earlier cells declared, for questions about the next. Its zero
// value knows nothing.
type Memory struct {
	imports []string          // texts of import declarations
	decls   map[string]string // text by name
}

var directives = regexp.MustCompile(`/\*(?:line Cell\[[0-9a-f]+\]|cell [0-9a-f]+):\d+:\d+\*/`)

// Learn takes over the declarations of a program that GoNB composed, and the
// imports of the cell that was in it.
func (m *Memory) Learn(program, source string) {
	text := directives.ReplaceAllString(program, "")
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "", text, parser.SkipObjectResolution)
	if err != nil {
		return
	}
	m.decls = map[string]string{}
	part := func(n ast.Node) string { return text[fset.Position(n.Pos()).Offset:fset.Position(n.End()).Offset] }
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil && d.Name.Name == "main" {
				continue
			}
			m.decls[funcName(d)] = part(d)
		case *ast.GenDecl:
			for i, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					m.decls[s.Name.Name] = "type " + part(s)
				case *ast.ValueSpec:
					if d.Tok == token.CONST && d.Lparen.IsValid() { // iota: the group as a whole
						if i == 0 {
							m.decls[s.Names[0].Name] = part(d)
						}
						continue
					}
					m.decls[s.Names[0].Name] = d.Tok.String() + " " + part(s)
				}
			}
		}
	}
	c := Parse(source)
	for _, k := range c.decls {
		if k.tok == token.IMPORT {
			m.addImport(c.go_[k.first:k.end])
		}
	}
}

func (m *Memory) addImport(text string) {
	for _, have := range m.imports {
		if have == text {
			return
		}
	}
	m.imports = append(m.imports, text)
}

func (m *Memory) imported(path string) bool {
	for _, i := range m.imports {
		if strings.Contains(i, `"`+path+`"`) {
			return true
		}
	}
	return false
}

func funcName(d *ast.FuncDecl) string {
	if d.Recv != nil && len(d.Recv.List) == 1 {
		t := d.Recv.List[0].Type
		if s, ok := t.(*ast.StarExpr); ok {
			t = s.X
		}
		if i, ok := t.(*ast.IndexExpr); ok {
			t = i.X
		}
		if i, ok := t.(*ast.Ident); ok {
			return i.Name + "." + d.Name.Name
		}
	}
	return d.Name.Name
}

// Compose returns a Go file of what earlier cells declared and of the cell, as it is
// being written, its open brackets closed, and the offset in it that belongs to an offset of the cell.
func (m *Memory) Compose(source string, offset int) (text string, at int) {
	c := Parse(source)
	if c.verbatim {
		return header, len(header)
	}
	if len(c.go_) == len(source) && offset <= len(source) {
		if text := closed(c.go_, offset); len(text) > len(source) {
			c = Parse(text)
		}
	}
	var b strings.Builder
	b.WriteString(header)
	at = -1
	own := map[string]bool{}
	imports := map[string]bool{}
	put := func(k chunk) {
		if at < 0 && offset >= k.start && offset <= k.end {
			at = b.Len() + offset - k.start
		}
		b.WriteString(c.go_[k.start:k.end])
		b.WriteByte('\n')
	}
	for _, k := range c.decls {
		switch {
		case k.tok == token.IMPORT:
			imports[c.go_[k.first:k.end]] = true
			put(k)
		case k.tok == token.FUNC && k.kind == token.LPAREN: // a method: names of all methods with it
			if f, err := parser.ParseFile(token.NewFileSet(), "", header+c.go_[k.first:k.end], parser.SkipObjectResolution); err == nil && len(f.Decls) == 1 {
				if d, ok := f.Decls[0].(*ast.FuncDecl); ok {
					own[funcName(d)] = true
				}
			}
		default:
			own[k.name] = true
		}
	}
	for _, i := range m.imports {
		if !imports[i] {
			b.WriteString(i + "\n")
		}
	}
	// Packages that goimports would add.
	all := c.go_
	for _, d := range m.decls {
		all += "\n" + d
	}
	for _, name := range slices.Sorted(maps.Keys(named(all))) {
		if path := Standard[name]; path != "" && !strings.Contains(c.go_, `"`+path+`"`) && !own[name] && m.decls[name] == "" && !m.imported(path) {
			b.WriteString("import \"" + path + "\"\n")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.decls)) {
		if !own[name] {
			b.WriteString(m.decls[name] + "\n")
		}
	}
	for _, k := range c.decls {
		if k.tok != token.IMPORT {
			put(k)
		}
	}
	b.WriteString(openMain)
	for _, k := range c.body {
		put(k)
	}
	if at < 0 {
		at = b.Len()
	}
	b.WriteString("\n}\n")
	return b.String(), at
}
