// Package state turns the cells of a notebook into Go packages that share what they
// define. The package of a cell has the cell's types, functions and constants as they
// are, its statements in a function, and for each variable that the cell defines a
// pointer to it, over which later cells and functions reach it. Names that other packages
// have to reach and that are not exported get a mark before them. The type checker reads
// the cell as it was written, so that its errors do too.
package state

import (
	"go/ast"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"runtime"
)

// Packages knows the export data of packages.
type Packages interface {
	// Export returns the file with the export data of a package, which it finds if
	// need be.
	Export(path string) (string, error)
}

// A Name is something that a cell has defined.
type Name struct {
	Object  types.Object
	Package string // path of the package that has it: of a variable, the pointer to it
	Cell    string // identifier of the cell
}

// A Notebook knows what the cells that ran have defined.
type Notebook struct {
	packages Packages
	fset     *token.FileSet
	importer types.Importer
	names    map[string]*Name
	imports  map[string]string          // path by name
	types    map[*types.TypeName]string // package of each type of a cell
	cells    map[string]*Package        // by path
	last     map[string]*Package        // by the text of the cell
	decls    declarations
	lost     map[string]string // why a name that was not kept is not there
}

// New returns a notebook without cells.
func New(p Packages) *Notebook {
	n := &Notebook{packages: p, imports: map[string]string{}}
	n.Renew()
	return n
}

// Renew forgets all that cells defined, and what is known of packages. It keeps imports, and
// the reasons why names were lost.
func (n *Notebook) Renew() {
	n.fset = token.NewFileSet()
	n.importer = importer.ForCompiler(n.fset, "gc", func(path string) (io.ReadCloser, error) {
		file, err := n.packages.Export(path)
		if err != nil {
			return nil, err
		}
		return os.Open(file)
	})
	lost := n.lost
	n.Forget()
	maps.Copy(n.lost, lost)
}

// Forget forgets all that cells defined, as a new session does. Imports stay.
func (n *Notebook) Forget() {
	n.names = map[string]*Name{}
	n.types = map[*types.TypeName]string{}
	n.cells = map[string]*Package{}
	n.last = map[string]*Package{}
	n.lost = map[string]string{}
	n.decls = noDeclarations()
}

// A Package is a cell as a Go package.
type Package struct {
	Path    string // "cells/…"; equal for equal sources
	Source  string
	Imports []string // of packages that are no cells
	Needs   []string // packages of cells that it imports

	cell      string // identifier
	text      string
	variables []string // in the order of Defined
	names     map[string]types.Object
	stored    map[string]string // packages of variables and functions that replace others of their type
	imported  map[string]string
	fresh     []*types.TypeName // types that it defines
	decls     declarations
	Notes     []string // to be told when it runs
}

// Variables returns the names of the variables that the cell defines, each once.
func (p *Package) Variables() []string { return p.variables }

// Defines reports whether the cell defines anything that later cells can use.
func (p *Package) Defines() bool { return len(p.names) > 0 }

// Loaded reports whether the package has been loaded before.
func (n *Notebook) Loaded(p *Package) bool { return n.cells[p.Path] != nil }

// Load says that the package was loaded: its types, functions and constants are defined.
func (n *Notebook) Load(p *Package) {
	if was := n.cells[p.Path]; was != nil {
		*p = *was
	}
	n.cells[p.Path], n.last[p.text] = p, p
	for _, t := range p.fresh {
		n.types[t] = p.Path
	}
	maps.Copy(n.decls.types, p.decls.types)
	maps.Copy(n.decls.methods, p.decls.methods)
	maps.Copy(n.decls.funcs, p.decls.funcs)
	for name, o := range p.names {
		if _, variable := o.(*types.Var); !variable {
			n.define(name, o, p)
		}
	}
}

// Ran says that the cell of the package has run, and which of its variables it reached.
func (n *Notebook) Ran(p *Package, defined []bool) {
	for i, name := range p.variables {
		if i < len(defined) && defined[i] {
			n.define(name, p.names[name], p)
		} else if n.names[name] == nil {
			n.lost[name] = "its cell failed before it defined " + name
		}
	}
}

func (n *Notebook) define(name string, o types.Object, p *Package) {
	delete(n.lost, name)
	at := p.Path
	if p.stored[name] != "" {
		at = p.stored[name]
	}
	n.names[name] = &Name{Object: o, Package: at, Cell: p.cell}
}

// Packages returns the packages of cells that were loaded, by path.
func (n *Notebook) Packages() map[string]*Package { return n.cells }

// Names returns what is defined, by name.
func (n *Notebook) Names() map[string]*Name { return n.names }

// Variable reports whether it is a variable.
func (n *Name) Variable() bool { _, ok := n.Object.(*types.Var); return ok }

// Remove forgets a name. It reports whether there was one.
func (n *Notebook) Remove(name string) bool {
	was := n.names[name] != nil
	delete(n.names, name)
	return was
}

// Lose notes why something that a cell may name is not there.
func (n *Notebook) Lose(name, why string) { n.lost[name] = why }

// Missed notes why what a cell would have defined is not there.
func (n *Notebook) Missed(p *Package, why string) {
	for name := range p.names {
		if n.names[name] == nil {
			n.Lose(name, name+" "+why)
		}
	}
}

// Remember keeps the imports of a cell for later cells, also if it failed.
func (n *Notebook) Remember(imports map[string]string) {
	for name, path := range imports {
		n.imports[name] = path
	}
}

func (n *Notebook) config(fail func(error)) *types.Config {
	return &types.Config{Importer: n.importer, Error: fail, Sizes: types.SizesFor("gc", runtime.GOARCH)}
}

// topLevel returns the statement under labels.
func topLevel(s ast.Stmt) ast.Stmt {
	for {
		l, ok := s.(*ast.LabeledStmt)
		if !ok {
			return s
		}
		s = l.Stmt
	}
}
