package state

import (
	"fmt"
	"go/types"
	"maps"
	"slices"
	"strings"
)

// Place returns the package that has the pointer to a variable, and which of its
// variables it is.
func (n *Notebook) Place(name string) (path string, index int) {
	v := n.names[name]
	if v == nil || n.cells[v.Package] == nil {
		return "", 0
	}
	return v.Package, slices.Index(n.cells[v.Package].variables, name)
}

// ForgetImports forgets the imports of earlier cells.
func (n *Notebook) ForgetImports() { n.imports = map[string]string{} }

// Outline returns, as Go source, the imports of earlier cells and a program of what they
// have defined: variables with their types, functions and methods without bodies.
func (n *Notebook) Outline() (imports, program string) {
	paths := maps.Clone(n.imports)
	maps.DeleteFunc(paths, func(name, _ string) bool { return strings.HasPrefix(name, ".") })
	alias := map[string]string{}
	for name, path := range paths {
		alias[path] = name
	}
	qualify := func(p *types.Package) string {
		if p.Path() == cellsPath {
			return ""
		}
		if alias[p.Path()] == "" {
			alias[p.Path()] = p.Name()
			if paths[p.Name()] == "" {
				paths[p.Name()] = p.Path()
			}
		}
		return alias[p.Path()]
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(n.names)) {
		o := n.names[name].Object
		switch o := o.(type) {
		case *types.Var:
			fmt.Fprintf(&b, "var %s %s\n", name, types.TypeString(o.Type(), qualify))
		case *types.Const:
			value := o.Val().ExactString()
			if basic, ok := o.Type().(*types.Basic); ok && basic.Info()&types.IsUntyped != 0 {
				fmt.Fprintf(&b, "const %s = %s\n", name, value)
			} else {
				fmt.Fprintf(&b, "const %s %s = %s\n", name, types.TypeString(o.Type(), qualify), value)
			}
		case *types.Func:
			b.WriteString(types.ObjectString(o, qualify) + " { panic(0) }\n")
		case *types.TypeName:
			b.WriteString(types.ObjectString(o, qualify) + "\n")
			if t, ok := o.Type().(*types.Named); ok {
				for i := range t.NumMethods() {
					m := t.Method(i)
					b.WriteString(method(m, qualify))
				}
			}
		}
	}
	var all strings.Builder
	for _, name := range slices.Sorted(maps.Keys(paths)) {
		all.WriteString(imported{name, paths[name], -1}.line())
	}
	return all.String(), "package main\n" + all.String() + b.String()
}

// method writes the head of a method with a body of no use.
func method(m *types.Func, qualify types.Qualifier) string {
	s := m.Signature()
	recv := types.TypeString(s.Recv().Type(), qualify)
	sig := strings.TrimPrefix(types.TypeString(types.NewSignatureType(nil, nil, nil, s.Params(), s.Results(), s.Variadic()), qualify), "func")
	return "func (x " + recv + ") " + m.Name() + sig + " { panic(0) }\n"
}
