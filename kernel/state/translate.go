package state

import (
	"errors"
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Packages that the translation of a cell imports.
const (
	running = module + "metamerkit/display/running"
)

// translate writes the package of a cell that the type checker accepts.
func (k *composer) translate(imports []imported, unused map[int]bool) *Package {
	p := &Package{cell: k.id, text: k.c.Source, names: map[string]types.Object{}, stored: k.stored}
	k.functions()
	k.checks()
	k.waits()
	for _, i := range k.identifiers() {
		k.rename(i, k.info.Defs[i])
		k.rename(i, k.info.Uses[i])
	}
	k.hideFields()
	var vars, head strings.Builder
	k.keep(p, &vars)
	k.viewAll(p, &vars)
	k.result()

	head.WriteString("package cell\n")
	for i, im := range imports {
		if !unused[i] || im.name == "_" {
			head.WriteString(im.line())
			p.Imports = append(p.Imports, im.path)
		}
	}
	fmt.Fprintf(&head, "import %sr %q\n", inner, running)
	p.Imports = append(p.Imports, running)
	if len(k.viewed) > 0 {
		fmt.Fprintf(&head, "import %su \"unsafe\"\n", inner)
	}
	body := k.t.write(k.c, k.id, false)
	decls := k.t.write(k.c, k.id, true)
	var set strings.Builder
	for _, f := range k.funcs {
		o := k.pkg.Scope().Lookup(f)
		storage := k.storage(f, o)
		if !strings.Contains(storage, ".") {
			t, err := typeText(o.Type(), k.typeName)
			if err != nil {
				k.problems = append(k.problems, Problem{Message: fmt.Sprintf("func %s: %v", f, err)})
			}
			fmt.Fprintf(&vars, "var %s %s\n", storage, t)
		}
		fmt.Fprintf(&set, "\t%s = %s\n", storage, exported(f))
	}
	for _, v := range k.viewed {
		fmt.Fprintf(&set, "\t%s\n", v)
	}
	var starts strings.Builder
	for _, name := range k.found {
		fmt.Fprintf(&starts, "%sv%s := %s%sV_%s; ", inner, name, k.ref(k.n.names[name].Package), mark, name)
	}
	pointers := k.pointers(p)
	all := vars.String() + set.String() + starts.String() + pointers + decls + body
	for i, path := range k.needs {
		if name := fmt.Sprintf("%sc%d", inner, i); strings.Contains(all, name+".") { // as below
			fmt.Fprintf(&head, "import %s %q\n", name, path)
			p.Needs = append(p.Needs, path)
		}
	}
	for i, path := range k.extra {
		if name := fmt.Sprintf("%sp%d", inner, i); strings.Contains(vars.String(), name+".") { // a variable that keeps its place needs no type
			fmt.Fprintf(&head, "import %s %q\n", name, path)
			p.Imports = append(p.Imports, path)
		}
	}
	main := ""
	for _, s := range k.starts {
		if s == inner+"main" {
			main = s + "()\n"
		} else {
			starts.WriteString(s + "(); ")
		}
	}
	if k.slept != "" {
		fmt.Fprintf(&vars, "var _ = %s.Sleep\n", k.slept)
	}
	p.Source = head.String() + vars.String() +
		fmt.Sprintf("var %sD [%d]bool\n", mark, len(p.variables)) +
		fmt.Sprintf("func %sDefine() {\n\tclear(%sD[:])\n%s}\n", mark, mark, set.String()) +
		fmt.Sprintf("func %sDefined() []bool { return %sD[:] }\n", mark, mark) +
		pointers +
		decls +
		fmt.Sprintf("func %s() { %sr.Check(); %s\n%s%s}\n", runName, inner, starts.String(), body, main)
	k.declared(p)
	p.Notes = k.notes
	p.Path = "cells/c" + hash(p.Source)
	for name := range k.own {
		if o := k.pkg.Scope().Lookup(name); o != nil {
			p.names[name] = o
			if t, ok := o.(*types.TypeName); ok {
				p.fresh = append(p.fresh, t)
			}
		}
	}
	return p
}

// pointers is the function that returns the pointers to the cell's variables.
func (k *composer) pointers(p *Package) string {
	var b strings.Builder
	for _, name := range p.variables {
		fmt.Fprintf(&b, "%s, ", k.storage(name, p.names[name]))
	}
	return fmt.Sprintf("func %sPointers() []any { return []any{%s} }\n", mark, b.String())
}

// storage returns where a variable or function of this cell is kept: in the place of one
// with the same name and type, or in the cell's own package.
func (k *composer) storage(name string, o types.Object) string {
	kind := "V_"
	if _, fn := o.(*types.Func); fn {
		kind = "F_"
	}
	if was := k.n.names[name]; was != nil && was.Package != k.rerun && sameKind(was.Object, o) && types.Identical(was.Object.Type(), o.Type()) {
		k.stored[name] = was.Package
		return k.ref(was.Package) + mark + kind + name
	}
	return mark + kind + name
}

func sameKind(a, b types.Object) bool {
	switch a.(type) {
	case *types.Var:
		_, ok := b.(*types.Var)
		return ok
	case *types.Func:
		_, ok := b.(*types.Func)
		return ok && !generic(a)
	}
	return false
}

func generic(o types.Object) bool {
	s, ok := o.Type().(*types.Signature)
	return ok && s.TypeParams().Len() > 0
}

// functions finds the functions of the cell that are kept in variables, and those that
// start with it.
func (k *composer) functions() {
	for _, d := range k.f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn == k.run || fn.Recv != nil {
			continue
		}
		switch name := fn.Name.Name; name {
		case "init":
			start := fmt.Sprintf("%sinit%d", inner, len(k.starts))
			k.starts = append(k.starts, start)
			k.replace(fn.Name, start)
			delete(k.own, "init")
		case "main":
			k.starts = append(k.starts, inner+"main")
			k.replace(fn.Name, inner+"main")
			delete(k.own, "main")
		case "_":
			delete(k.own, "_")
		default:
			if o := k.info.Defs[fn.Name]; o != nil && !generic(o) {
				k.funcs = append(k.funcs, name)
			}
		}
	}
}

func (k *composer) replace(x ast.Node, with string) {
	k.t.change(offsetOf(k.n.fset, x.Pos()), offsetOf(k.n.fset, x.End()), with)
}

func (k *composer) insert(at token.Pos, s string) {
	off := offsetOf(k.n.fset, at)
	k.t.change(off, off, s)
}

// checks puts a check for interrupts into every loop and function.
func (k *composer) checks() {
	check := " " + inner + "r.Check(); "
	targets := map[string]bool{}
	ast.Inspect(k.f, func(x ast.Node) bool {
		if b, ok := x.(*ast.BranchStmt); ok && b.Tok == token.GOTO {
			targets[b.Label.Name] = true
		}
		return true
	})
	ast.Inspect(k.f, func(x ast.Node) bool {
		switch x := x.(type) {
		case *ast.ForStmt:
			k.insert(x.Body.Lbrace+1, check)
		case *ast.RangeStmt:
			k.insert(x.Body.Lbrace+1, check)
		case *ast.FuncDecl:
			if x != k.run && x.Body != nil {
				k.insert(x.Body.Lbrace+1, check)
			}
		case *ast.FuncLit:
			k.insert(x.Body.Lbrace+1, check)
		case *ast.LabeledStmt:
			if targets[x.Label.Name] {
				switch x.Stmt.(type) {
				case *ast.ForStmt, *ast.RangeStmt, *ast.SwitchStmt, *ast.TypeSwitchStmt, *ast.SelectStmt:
				default:
					k.insert(x.Colon+1, check)
				}
			}
		}
		return true
	})
}

// identifiers returns those of the text in their order.
func (k *composer) identifiers() (out []*ast.Ident) {
	ast.Inspect(k.f, func(x ast.Node) bool {
		if i, ok := x.(*ast.Ident); ok {
			if _, once := k.source(i.Pos()); once {
				out = append(out, i)
			}
		}
		return true
	})
	return out
}

// waits has calls of time.Sleep, and the cell's statements that receive from a channel, end
// with an interrupt.
func (k *composer) waits() {
	ast.Inspect(k.f, func(x ast.Node) bool {
		call, ok := x.(*ast.CallExpr)
		if !ok {
			return true
		}
		s, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || s.Sel.Name != "Sleep" {
			return true
		}
		i, ok := s.X.(*ast.Ident)
		if !ok {
			return true
		}
		if o, ok := k.info.Uses[i].(*types.PkgName); ok && o.Imported().Path() == "time" {
			k.slept = i.Name
			k.replace(i, inner+"r")
		}
		return true
	})
	receive := func(x ast.Expr, function string) {
		if u, ok := x.(*ast.UnaryExpr); ok && u.Op == token.ARROW {
			k.t.change(offsetOf(k.n.fset, u.Pos()), offsetOf(k.n.fset, u.X.Pos()), inner+"r."+function+"(")
			k.insert(u.End(), ")")
		}
	}
	for _, s := range k.run.Body.List { // as one waits for a goroutine
		switch s := topLevel(s).(type) {
		case *ast.ExprStmt:
			receive(s.X, "Receive")
		case *ast.AssignStmt:
			switch {
			case len(s.Rhs) == 1 && len(s.Lhs) == 2:
				receive(s.Rhs[0], "Received")
			case len(s.Rhs) == 1:
				receive(s.Rhs[0], "Receive")
			}
		case *ast.RangeStmt:
			if t := k.info.Types[s.X].Type; t != nil {
				if _, ok := t.Underlying().(*types.Chan); ok {
					k.insert(s.X.Pos(), inner+"r.Range(")
					k.insert(s.X.End(), ")")
				}
			}
		}
	}
}

// rename writes a name of a cell as the compiler is to see it.
func (k *composer) rename(i *ast.Ident, o types.Object) {
	if was := k.formers[o]; was != nil {
		o = was
	}
	if o == nil || o.Pkg() == nil || o.Pkg().Path() != cellsPath || i.Name == "_" {
		return
	}
	to := i.Name
	switch v := o.(type) {
	case *types.PkgName, *types.Label:
		return
	case *types.Var:
		switch {
		case v.IsField():
			if v.Embedded() && (k.info.Defs[i] != nil || namesItself(v)) { // where it is defined its type is renamed
				return
			}
			to = exported(i.Name)
		case o.Pkg() != k.pkg && k.run.Pos() < i.Pos() && i.Pos() < k.run.End():
			// Found when the cell starts: a closure keeps this variable when a later cell
			// defines the name again.
			if !slices.Contains(k.found, i.Name) {
				k.found = append(k.found, i.Name)
			}
			to = "(*" + inner + "v" + i.Name + ")"
		case o.Pkg() != k.pkg:
			to = "(*" + k.elsewhere(o) + mark + "V_" + i.Name + ")"
		case o.Parent() == k.pkg.Scope():
			to = "(*" + k.storage(i.Name, o) + ")"
		}
	case *types.Func:
		switch {
		case v.Signature().Recv() != nil:
			to = exported(i.Name)
		case k.info.Defs[i] != nil:
			if i.Name != runName && i.Name != "init" && i.Name != "main" {
				to = exported(i.Name)
			}
		case o.Pkg() != k.pkg && generic(o):
			to = k.elsewhere(o) + exported(i.Name)
		case o.Pkg() != k.pkg:
			to = k.elsewhere(o) + mark + "F_" + i.Name
		case generic(o):
			to = exported(i.Name)
		case i.Name == "main":
			to = inner + "main"
		default:
			to = k.storage(i.Name, o)
		}
	case *types.TypeName, *types.Const:
		switch {
		case o.Pkg() != k.pkg:
			if t, ok := o.(*types.TypeName); ok && k.n.types[t] == "" { // local to a function of another cell, or a type parameter
				return
			}
			to = k.elsewhere(o) + exported(i.Name)
		case o.Parent() == k.pkg.Scope():
			to = exported(i.Name)
		}
	default:
		return
	}
	if to != i.Name {
		k.replace(i, to)
	}
}

// namesItself reports whether an embedded field has a name that stays as it is: that of a
// type of Go's own, or of one that is local to a function.
func namesItself(v *types.Var) bool {
	t := v.Type()
	if p, ok := t.(*types.Pointer); ok {
		t = p.Elem()
	}
	named, ok := t.(interface{ Obj() *types.TypeName })
	return !ok || named.Obj().Pkg() == nil || named.Obj().Parent() != named.Obj().Pkg().Scope()
}

// elsewhere returns the alias of the package of another cell that has an object.
func (k *composer) elsewhere(o types.Object) string {
	if n := k.n.names[o.Name()]; n != nil && n.Object == o {
		return k.ref(n.Package)
	}
	if t, ok := o.(*types.TypeName); ok && k.n.types[t] != "" {
		return k.ref(k.n.types[t])
	}
	return ""
}

// hideFields keeps encoders from the fields whose names are not exported in the cell.
func (k *composer) hideFields() {
	ast.Inspect(k.f, func(x ast.Node) bool {
		s, ok := x.(*ast.StructType)
		if !ok {
			return true
		}
		for _, f := range s.Fields.List {
			if f.Tag == nil && len(f.Names) > 0 && !slices.ContainsFunc(f.Names, func(i *ast.Ident) bool { return !hidden(i.Name) }) {
				k.insert(f.Type.End(), " "+hiddenTag)
			}
		}
		return true
	})
}

// keep has the statements that define variables note where they are.
func (k *composer) keep(p *Package, vars *strings.Builder) {
	at := map[string]int{}
	for _, s := range k.run.Body.List {
		var to, from []string
		for _, i := range defined(s) {
			o, ok := k.info.Defs[i].(*types.Var)
			if !ok {
				continue // defined by an earlier statement
			}
			name := i.Name
			t, err := typeText(o.Type(), k.typeName)
			if err != nil {
				k.n.lost[name] = fmt.Sprintf("%s was not kept when its cell ended: %v", name, err)
				to, from = append(to, "_"), append(from, name)
				continue
			}
			if _, known := at[name]; !known {
				at[name] = len(p.variables)
				p.variables = append(p.variables, name)
				p.names[name] = types.NewVar(token.NoPos, k.pkg, name, o.Type())
				if storage := k.storage(name, o); !strings.Contains(storage, ".") {
					fmt.Fprintf(vars, "var %s *%s\n", storage, t)
				}
			}
			to = append(to, k.storage(name, o), mark+"D["+strconv.Itoa(at[name])+"]")
			from = append(from, "&"+name, "true")
		}
		if len(to) > 0 {
			k.insert(s.End(), "; "+strings.Join(to, ", ")+" = "+strings.Join(from, ", "))
		}
	}
}

// typeName returns how the cell's package names a type.
func (k *composer) typeName(t *types.TypeName) (string, error) {
	switch {
	case t.Pkg() == nil:
		return t.Name(), nil
	case t.Pkg().Path() == cellsPath:
		if path := k.n.types[t]; path != "" {
			return k.ref(path) + exported(t.Name()), nil
		}
		if t.Parent() == k.pkg.Scope() {
			return exported(t.Name()), nil
		}
		return "", fmt.Errorf("its type %s is defined within a function", t.Name())
	case !t.Exported():
		return "", errors.New("its type " + t.Pkg().Name() + "." + t.Name() + " is not exported")
	}
	i := slices.Index(k.extra, t.Pkg().Path())
	if i < 0 {
		i = len(k.extra)
		k.extra = append(k.extra, t.Pkg().Path())
	}
	return fmt.Sprintf("%sp%d.%s", inner, i, t.Name()), nil
}

// result has the value of the expression that ends the cell shown.
func (k *composer) result() {
	if k.last == nil {
		return
	}
	if k.c.Silenced() {
		if k.shown { // "x;" is no statement in Go
			k.insert(k.last.X.Pos(), "_ = ")
		}
		return
	}
	if t := k.info.Types[k.last.X]; t.IsVoid() || t.IsType() || !t.IsValue() && !isTuple(t.Type) {
		return
	}
	if text := tooLarge(k.info.Types[k.last.X]); text != "" {
		k.insert(k.last.X.Pos(), inner+"r.Result("+strconv.Quote(text)+"); const _ = ")
		return
	}
	k.insert(k.last.X.Pos(), inner+"r.Result(")
	k.insert(k.last.X.End(), ")")
}

// tooLarge returns a constant that no int or float64 can hold, as text.
func tooLarge(t types.TypeAndValue) string {
	switch basic, _ := t.Type.(*types.Basic); {
	case t.Value == nil || basic == nil:
	case basic.Kind() == types.UntypedInt:
		if _, fits := constant.Int64Val(constant.ToInt(t.Value)); !fits {
			return t.Value.ExactString()
		}
	case basic.Kind() == types.UntypedFloat:
		if v, _ := constant.Float64Val(t.Value); math.IsInf(v, 0) {
			return t.Value.String()
		}
	}
	return ""
}

func isTuple(t types.Type) bool {
	tuple, ok := t.(*types.Tuple)
	return ok && tuple.Len() > 0
}
