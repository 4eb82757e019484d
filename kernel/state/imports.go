package state

import (
	"go/ast"
	"go/token"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ensemble-metamers/metamers/kernel/cell"
)

const module = "github.com/ensemble-metamers/metamers/"

// known are packages that cells are likely to name without importing them, besides those
// of cell.Standard: of several the first that has all that the cell uses of it.
var known = map[string][]string{
	"rand":           {"math/rand/v2", "math/rand", "crypto/rand"},
	"template":       {"text/template", "html/template"},
	"pprof":          {"runtime/pprof", "net/http/pprof"},
	"scanner":        {"text/scanner", "go/scanner"},
	"mk":             {module + "metamerkit"},
	"metamersTimeit": {module + "metamerkit/display/timeit"}, // of %timeit
	"display":        {module + "metamerkit/display"},
	"plot":           {"gonum.org/v1/plot"},
	"plotter":        {"gonum.org/v1/plot/plotter"},
	"vg":             {"gonum.org/v1/plot/vg"},
}

// An imported is an import of a cell's package.
type imported struct {
	name, path string
	at         int // offset in the cell, or -1
}

func (i imported) line() string { return "import " + i.name + " " + strconv.Quote(i.path) + "\n" }

// explicit reads the cell's import declarations.
func explicit(f *ast.File, offset func(token.Pos) int) (out []imported) {
	for _, s := range f.Imports {
		p, err := strconv.Unquote(s.Path.Value)
		if err != nil {
			continue
		}
		i := imported{path: p, at: offset(s.Pos())}
		if s.Name != nil {
			i.name = s.Name.Name
		}
		out = append(out, i)
	}
	return out
}

var major = regexp.MustCompile(`^v[0-9]+$`)

// nameOf returns the name of a package that is imported without one.
func (n *Notebook) nameOf(p string) string {
	if pkg, err := n.importer.Import(p); err == nil {
		return pkg.Name()
	}
	if b := path.Base(p); !major.MatchString(b) {
		return b
	}
	return path.Base(path.Dir(p))
}

// used returns the names before a dot that nothing in the file declares, with what
// stands behind the dot.
func used(f *ast.File) map[string][]string {
	free := map[*ast.Ident]bool{}
	for _, i := range f.Unresolved {
		free[i] = true
	}
	out := map[string][]string{}
	ast.Inspect(f, func(x ast.Node) bool {
		if s, ok := x.(*ast.SelectorExpr); ok {
			if i, ok := s.X.(*ast.Ident); ok && free[i] {
				out[i.Name] = append(out[i.Name], s.Sel.Name)
			}
		}
		return true
	})
	return out
}

// resolve returns the imports of a cell's package: those that the cell uses of its own,
// of those of earlier cells, and of packages known by name. keep are those that later
// cells can use: all that the cell has of its own.
func (n *Notebook) resolve(f *ast.File, own []imported, taken map[string]bool) (out []imported, keep map[string]string) {
	keep, out = map[string]string{}, []imported{}
	have := map[string]bool{}
	wants := used(f)
	for _, i := range own {
		switch i.name {
		case ".":
			keep["."+i.path] = i.path // found again below
			continue
		case "_":
			out = append(out, i)
			continue
		case "":
			i.name = n.nameOf(i.path)
		}
		keep[i.name] = i.path
		have[i.name] = true
		out = append(out, i) // one that fails is told of; one that is not used is left out later
	}
	for name, selected := range wants {
		if have[name] || taken[name] || n.names[name] != nil {
			continue
		}
		if p := n.imports[name]; p != "" {
			out = append(out, imported{name, p, -1})
		} else if p := n.guess(name, selected); p != "" && (n.lost[name] == "" || n.has(p, selected)) {
			out = append(out, imported{name, p, -1})
			keep[name] = p
		}
	}
	dots := maps.Clone(keep)
	maps.Copy(dots, n.imports)
	for name, p := range dots {
		if strings.HasPrefix(name, ".") && n.serves(p, f, taken) {
			out = append(out, imported{".", p, -1})
		}
	}
	slices.SortStableFunc(out, func(a, b imported) int { return strings.Compare(a.path, b.path) })
	return out, keep
}

// serves reports whether a package that was imported with a dot has a name that the file
// uses and nothing declares, and none that is in the way of the cell's.
func (n *Notebook) serves(path string, f *ast.File, taken map[string]bool) bool {
	pkg, err := n.importer.Import(path)
	if err != nil {
		return false
	}
	for _, name := range pkg.Scope().Names() {
		if token.IsExported(name) && taken[name] {
			return false
		}
	}
	return slices.ContainsFunc(f.Unresolved, func(i *ast.Ident) bool {
		return token.IsExported(i.Name) && n.names[i.Name] == nil && pkg.Scope().Lookup(i.Name) != nil
	})
}

// guess finds the package that is meant by a name.
func (n *Notebook) guess(name string, selected []string) string {
	if p := cell.Standard[name]; p != "" {
		return p
	}
	for _, p := range known[name] {
		if n.has(p, selected) {
			return p
		}
	}
	return ""
}

// has reports whether a package has all of some names.
func (n *Notebook) has(path string, names []string) bool {
	pkg, err := n.importer.Import(path)
	return err == nil && !slices.ContainsFunc(names, func(s string) bool { return pkg.Scope().Lookup(s) == nil })
}
