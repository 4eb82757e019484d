package state

import (
	"go/ast"
	"go/scanner"
	"go/token"
	"go/types"
	"maps"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/kernel/cell"
)

// A decl is a declaration of a cell that ran: a type, a method or a function. When a
// later cell gives a type a method, or declares it again, a new type takes its place, and
// what was declared with the old one is declared again with the new one.
type decl struct {
	cell *cell.Cell
	id   string // of the cell
	at   int    // offset in the cell
	text string
	name string
	recv string                   // name of the type of a method
	uses map[*types.TypeName]bool // types of cells that it names
}

// label names a declaration in messages.
func (d *decl) label() string {
	if d.recv != "" {
		return d.recv + "." + d.name
	}
	return d.name
}

// carried is what a cell takes over from earlier ones.
type carried struct {
	decls   []*decl
	views   []string // variables that get the new types, at the same place
	kept    []string // variables that keep a former type
	changed []string // types whose variables keep the former one
}

// carry finds what a cell has to declare again besides what it declares.
func (k *composer) carry() (out carried) {
	renewed := map[*types.TypeName]bool{} // former types
	methods := map[string]bool{}          // of the cell
	add := func(name string) bool {
		n := k.n.names[name]
		if n == nil || n.Package == k.rerun {
			return false
		}
		t, ok := n.Object.(*types.TypeName)
		if !ok || renewed[t] || k.n.decls.types[t] == nil {
			return false
		}
		renewed[t] = true
		return true
	}
	fresh := map[string]string{} // texts of types of the cell
	for _, d := range k.f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if base := receiver(d); base != "" {
				methods[base+"."+d.Name.Name] = true
				add(base)
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				if t, ok := s.(*ast.TypeSpec); ok {
					fresh[t.Name.Name] = "type " + k.text(t)
					add(t.Name.Name)
				}
			}
		}
	}
	if len(renewed) == 0 {
		return out
	}
	uses := func(d *decl) bool {
		for t := range d.uses {
			if renewed[t] {
				return true
			}
		}
		return false
	}
	current := slices.Sorted(maps.Keys(k.n.names))
	for more := true; more; { // types that name those
		more = false
		for _, name := range current {
			if t, ok := k.n.names[name].Object.(*types.TypeName); ok && !renewed[t] && k.n.decls.types[t] != nil && uses(k.n.decls.types[t]) && fresh[name] == "" {
				more = add(name) || more
			}
		}
	}
	changed := map[*types.TypeName]bool{}
	for t := range renewed {
		if text := fresh[t.Name()]; text != "" && tokens(text) != tokens(k.n.decls.types[t].text) {
			changed[t] = true
		}
	}
	for more := len(changed) > 0; more; {
		more = false
		for t := range renewed {
			for u := range k.n.decls.types[t].uses {
				if changed[u] && !changed[t] {
					changed[t], more = true, true
				}
			}
		}
	}
	for _, name := range current {
		o := k.n.names[name].Object
		switch o := o.(type) {
		case *types.TypeName:
			if !renewed[o] {
				continue
			}
			if fresh[name] == "" {
				out.decls = append(out.decls, k.n.decls.types[o])
			}
			for _, m := range slices.Sorted(maps.Keys(k.n.decls.methods[o])) {
				if !methods[name+"."+m] {
					out.decls = append(out.decls, k.n.decls.methods[o][m])
				}
			}
		case *types.Func:
			if d := k.n.decls.funcs[name]; d != nil && !k.own[name] && uses(d) {
				out.decls = append(out.decls, d)
			}
		case *types.Var:
			if slices.Contains(k.vars, name) {
				continue
			}
			if found := mentions(o.Type(), changed); found != nil {
				out.kept = append(out.kept, name)
				if !slices.Contains(out.changed, found.Name()) {
					out.changed = append(out.changed, found.Name())
				}
			} else if mentions(o.Type(), renewed) != nil {
				out.views = append(out.views, name)
			}
		}
	}
	return out
}

// receiver returns the name of the type of a method.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) != 1 {
		return ""
	}
	x := d.Recv.List[0].Type
	for {
		switch t := x.(type) {
		case *ast.StarExpr:
			x = t.X
		case *ast.ParenExpr:
			x = t.X
		case *ast.IndexExpr:
			x = t.X
		case *ast.IndexListExpr:
			x = t.X
		case *ast.Ident:
			return t.Name
		default:
			return ""
		}
	}
}

// text returns the source of a node.
func (k *composer) text(x ast.Node) string {
	return k.t.b.String()[offsetOf(k.n.fset, x.Pos()):offsetOf(k.n.fset, x.End())]
}

// tokens is Go source without its white space and comments.
func tokens(text string) string {
	var s scanner.Scanner
	fset := token.NewFileSet()
	s.Init(fset.AddFile("", -1, len(text)), []byte(text), nil, 0)
	var b strings.Builder
	for {
		_, tok, lit := s.Scan()
		if tok == token.EOF {
			return b.String()
		}
		b.WriteString(tok.String() + " " + strings.TrimSpace(lit) + "\n")
	}
}

// mentions returns one of some types that a type is made of, or nil.
func mentions(t types.Type, of map[*types.TypeName]bool) (found *types.TypeName) {
	printer := &printer{named: func(o *types.TypeName) (string, error) {
		if of[o] {
			found = o
		}
		return "", nil
	}}
	printer.write(t)
	return found
}

// declarations are those of the cells that ran.
type declarations struct {
	types   map[*types.TypeName]*decl
	methods map[*types.TypeName]map[string]*decl
	funcs   map[string]*decl
}

func noDeclarations() declarations {
	return declarations{map[*types.TypeName]*decl{}, map[*types.TypeName]map[string]*decl{}, map[string]*decl{}}
}

// declared notes what the cell declares, for later cells to declare it again.
func (k *composer) declared(p *Package) {
	p.decls = noDeclarations()
	uses := func(x ast.Node) map[*types.TypeName]bool {
		out := map[*types.TypeName]bool{}
		ast.Inspect(x, func(x ast.Node) bool {
			if i, ok := x.(*ast.Ident); ok {
				if t, ok := k.info.Uses[i].(*types.TypeName); ok && t.Pkg() != nil && t.Pkg().Path() == cellsPath {
					out[t] = true
				}
			}
			return true
		})
		return out
	}
	note := func(x ast.Node, name, recv, text string) *decl {
		part, _ := k.t.find(offsetOf(k.n.fset, x.Pos()))
		d := &decl{cell: k.c, id: k.id, at: part.source + offsetOf(k.n.fset, x.Pos()) - part.from, text: text, name: name, recv: recv, uses: uses(x)}
		if part.carried != nil {
			d.cell, d.id, d.at = part.carried.cell, part.carried.id, part.carried.at
		}
		return d
	}
	for _, d := range k.f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d == k.run {
				continue
			}
			if base := receiver(d); base != "" {
				if t, ok := k.pkg.Scope().Lookup(base).(*types.TypeName); ok {
					if p.decls.methods[t] == nil {
						p.decls.methods[t] = map[string]*decl{}
					}
					p.decls.methods[t][d.Name.Name] = note(d, d.Name.Name, base, k.text(d))
				}
			} else {
				p.decls.funcs[d.Name.Name] = note(d, d.Name.Name, "", k.text(d))
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				if t, ok := s.(*ast.TypeSpec); ok {
					if o, ok := k.pkg.Scope().Lookup(t.Name.Name).(*types.TypeName); ok {
						p.decls.types[o] = note(t, t.Name.Name, "", "type "+k.text(t))
					}
				}
			}
		}
	}
}
