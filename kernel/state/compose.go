package state

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/kernel/cell"
)

// runName is the function that has the statements of a cell.
const runName = mark + "Run"

// A composer makes the package of one cell.
type composer struct {
	n    *Notebook
	c    *cell.Cell
	id   string
	t    *text
	f    *ast.File
	info *types.Info
	pkg  *types.Package
	run  *ast.FuncDecl

	own       map[string]bool // names of functions, types and constants of the cell
	vars      []string        // names of variables that its statements define
	needs     []string        // packages of cells, in the order of their aliases
	extra     []string        // packages that types need, in the order of their aliases
	stored    map[string]string
	funcs     []string // that replace or begin a function variable
	found     []string // variables of earlier cells that the statements name
	starts    []string // init functions and main
	viewTypes map[string]string
	slept     string   // name of package time, where its Sleep was replaced
	viewed    []string // statements that make the pointers of views
	notes     []string
	last      *ast.ExprStmt
	shown     bool
	carries   carried
	twice     bool         // functions name variables that the statements define
	former    map[int]bool // offsets of names in the statements that mean what an earlier cell defined
	formers   map[types.Object]types.Object
	dropped   map[*decl]string // declarations of earlier cells that cannot be made again, and why
	rerun     string           // path of the package that the same text had
	problems  []Problem
}

// Compose returns the package of a cell, or what is wrong with it. Imports of the cell
// are to be kept either way: Remember.
func (n *Notebook) Compose(c *cell.Cell, id string) (p *Package, imports map[string]string, problems []Problem, err error) {
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintf(os.Stderr, "kernel: %v\n%s\n", r, debug.Stack())
			err = fmt.Errorf("the kernel has a mistake that keeps it from running this cell; the session goes on: %v", r)
		}
	}()
	if was := n.last[c.Source]; was != nil {
		// The same text again: if nothing that it uses has changed it is the same package.
		p, imports, problems, err = n.compose(c, id, was.Path)
		if err == nil && len(problems) == 0 && p.Path == was.Path {
			return was, imports, nil, nil
		}
	}
	return n.compose(c, id, "")
}

// failed notes the names that the cell, which is not run, would have defined.
func (k *composer) failed() {
	for name := range k.taken() {
		if k.n.names[name] == nil {
			k.n.lost[name] = "a cell that failed would have defined " + name
		}
	}
}

func (n *Notebook) compose(c *cell.Cell, id, rerun string) (*Package, map[string]string, []Problem, error) {
	k := &composer{n: n, c: c, id: id, rerun: rerun, own: map[string]bool{}, stored: map[string]string{}, former: map[int]bool{}}
	// Read once without imports, to see which are needed.
	if err := k.read(nil); err != nil {
		return nil, nil, nil, err
	}
	k.names()
	if k.carries = k.carry(); len(k.carries.decls) > 0 {
		views := k.carries.views
		k.carries.views = nil // their types need imports
		if err := k.read(nil); err != nil {
			return nil, nil, nil, err
		}
		k.carries.views = views
		k.names()
	}
	imports, keep := n.resolve(k.f, k.explicit(), k.taken())
	imports = k.importViews(imports)
	k.twice = k.shared()
	var unused map[int]bool
	for {
		if err := k.read(imports); err != nil {
			return nil, nil, nil, err
		}
		unused = k.check(imports)
		if found := k.twice && k.findFormer(); !k.drop() && !found {
			break
		}
	}
	if len(k.problems) > 0 {
		k.failed()
		return nil, keep, k.problems, nil
	}
	p := k.translate(imports, unused)
	if len(k.problems) > 0 {
		return nil, keep, k.problems, nil
	}
	p.imported = keep
	return p, keep, nil, nil
}

// read puts the text together and parses it: the imports, the declarations, and the
// statements in a function; where functions share them, the definitions of variables among the
// declarations too, so that the cell's functions see them.
func (k *composer) read(imports []imported) error {
	vars := k.definitions()
	k.t = &text{}
	k.t.add("package cell\n")
	for _, i := range imports {
		k.t.add(i.line())
	}
	pieces := k.c.Pieces()
	for _, p := range pieces {
		if p.Kind == token.IMPORT && imports == nil {
			k.t.piece(p.Text, p.Start, false, true)
		}
	}
	for _, p := range pieces {
		if p.Kind == token.FUNC || p.Kind == token.TYPE || p.Kind == token.CONST {
			k.t.piece(p.Text, p.Start, false, true)
		}
	}
	for _, v := range vars {
		k.t.piece(v, 0, true, true)
	}
	for _, d := range k.carries.decls {
		k.t.piece(d.text, d.at, false, true)
		k.t.parts[len(k.t.parts)-1].carried = d
	}
	for _, name := range k.carries.views {
		k.t.piece(k.view(name), 0, true, true)
	}
	k.t.add("func " + runName + "() {\n")
	for _, p := range pieces {
		if p.Kind == token.VAR || p.Kind == token.ILLEGAL {
			k.t.piece(p.Text, p.Start, false, false)
		}
	}
	k.t.add("}\n")
	f, err := parser.ParseFile(k.n.fset, "", k.t.b.String(), parser.ParseComments)
	if err != nil {
		return err
	}
	k.f = f
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == runName {
			k.run = fn
		}
	}
	if k.run == nil {
		return errors.New("the statements of the cell are not all within one function")
	}
	return nil
}

// explicit returns the cell's own imports.
func (k *composer) explicit() []imported {
	return explicit(k.f, func(p token.Pos) int { at, _ := k.source(p); return at })
}

// source returns the offset in the cell of a position of the text.
func (k *composer) source(p token.Pos) (at int, ok bool) {
	off := offsetOf(k.n.fset, p)
	part, ok := k.t.find(off)
	if !ok {
		return -1, false
	}
	return part.source + off - part.from, !part.twice
}

// names finds what the cell defines at its top level.
func (k *composer) names() {
	for _, d := range k.f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil && d != k.run {
				k.own[d.Name.Name] = true
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					k.own[s.Name.Name] = true
				case *ast.ValueSpec:
					for _, i := range s.Names {
						k.own[i.Name] = true
					}
				}
			}
		}
	}
	for _, s := range k.run.Body.List {
		for _, i := range defined(s) {
			if !slices.Contains(k.vars, i.Name) {
				k.vars = append(k.vars, i.Name)
			}
		}
	}
}

// defined returns the names that a statement defines in the function it stands in.
func defined(s ast.Stmt) (out []*ast.Ident) {
	add := func(x ast.Expr) {
		if i, ok := x.(*ast.Ident); ok && i.Name != "_" {
			out = append(out, i)
		}
	}
	switch s := topLevel(s).(type) {
	case *ast.AssignStmt:
		if s.Tok == token.DEFINE {
			for _, x := range s.Lhs {
				add(x)
			}
		}
	case *ast.DeclStmt:
		if g, ok := s.Decl.(*ast.GenDecl); ok && g.Tok == token.VAR {
			for _, spec := range g.Specs {
				for _, i := range spec.(*ast.ValueSpec).Names {
					add(i)
				}
			}
		}
	}
	return out
}

// taken are the names that no import is meant by.
func (k *composer) taken() map[string]bool {
	out := map[string]bool{}
	for name := range k.own {
		out[name] = true
	}
	for _, name := range k.vars {
		out[name] = true
	}
	return out
}

// shared reports whether a function of the cell names a variable that its statements
// define.
func (k *composer) shared() (yes bool) {
	if len(k.vars) == 0 {
		return false
	}
	for _, d := range k.f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn == k.run {
			continue
		}
		ast.Inspect(fn, func(x ast.Node) bool {
			if i, ok := x.(*ast.Ident); ok && slices.Contains(k.vars, i.Name) {
				yes = true
			}
			return !yes
		})
	}
	return yes
}

// definitions returns the definitions of variables as declarations of a package, in
// which none has two.
func (k *composer) definitions() (out []string) {
	if !k.twice {
		return nil
	}
	seen := map[string]bool{}
	all := k.t.b.String()
	part := func(from, to token.Pos) string {
		return k.namingFormer(all, offsetOf(k.n.fset, from), offsetOf(k.n.fset, to))
	}
	for _, s := range k.run.Body.List {
		switch s := topLevel(s).(type) {
		case *ast.AssignStmt:
			if s.Tok != token.DEFINE {
				continue
			}
			var names []string
			for _, x := range s.Lhs {
				name := "_"
				if i, ok := x.(*ast.Ident); ok && !seen[i.Name] {
					name, seen[i.Name] = i.Name, i.Name != "_"
				}
				names = append(names, name)
			}
			out = append(out, "var "+strings.Join(names, ", ")+" = "+part(s.Rhs[0].Pos(), s.Rhs[len(s.Rhs)-1].End()))
		case *ast.DeclStmt:
			if g, ok := s.Decl.(*ast.GenDecl); ok && g.Tok == token.VAR {
				out = append(out, part(g.Pos(), g.End()))
				for _, i := range defined(s) {
					seen[i.Name] = true
				}
			}
		}
	}
	return out
}

// check has the type checker read the text, and returns which imports are not used.
func (k *composer) check(imports []imported) (unused map[int]bool) {
	unused = map[int]bool{}
	names := map[string]bool{}
	for _, i := range imports {
		names[i.name] = true
	}
	k.pkg = types.NewPackage(cellsPath, "cell")
	k.problems, k.dropped = nil, map[*decl]string{}
	for name, o := range k.n.names {
		if !k.own[name] && !names[name] && !k.dotted(imports, name) && !(k.twice && slices.Contains(k.vars, name)) && !slices.Contains(k.carries.views, name) {
			k.pkg.Scope().Insert(o.Object)
		}
	}
	defer k.nameFormer()()
	k.findLast()
	k.info = &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}}
	left := false // the last error was none of the cell's
	conf := k.n.config(func(err error) {
		var e types.Error
		if !errors.As(err, &e) {
			k.problems = append(k.problems, Problem{Message: err.Error()})
			return
		}
		if strings.HasSuffix(e.Msg, "imported and not used") || strings.Contains(e.Msg, " imported as ") && strings.HasSuffix(e.Msg, "and not used") {
			unused[k.n.fset.PositionFor(e.Pos, false).Line-2] = true
			return
		}
		if left && strings.HasPrefix(e.Msg, "\t") { // goes on
			return
		}
		left = true
		at, once := k.source(e.Pos)
		part, _ := k.t.find(offsetOf(k.n.fset, e.Pos))
		switch {
		case part.carried != nil:
			if k.dropped[part.carried] == "" {
				k.dropped[part.carried] = e.Msg
			}
		case at >= 0 && !once, k.twice && strings.HasPrefix(e.Msg, "initialization cycle"):
		case fieldOfCell.MatchString(e.Msg):
		case strings.HasPrefix(e.Msg, "declared and not used: ") && k.topLevelName(e.Pos):
		case k.last != nil && e.Pos == k.last.X.Pos() && strings.HasSuffix(e.Msg, "is not used"):
			k.shown = true
		default:
			left = false
			k.problem(at, imports, e)
		}
	})
	k.parenthesize()
	types.NewChecker(conf, k.n.fset, k.pkg, k.info).Files([]*ast.File{k.f})
	return unused
}

// parenthesize puts parentheses around a type of an earlier cell that gets another name: the
// type checker would look for its declaration in this cell, and panic.
func (k *composer) parenthesize() {
	ast.Inspect(k.f, func(x ast.Node) bool {
		if s, ok := x.(*ast.TypeSpec); ok {
			if i, ok := s.Type.(*ast.Ident); ok && k.pkg.Scope().Lookup(i.Name) != nil {
				s.Type = &ast.ParenExpr{Lparen: i.Pos(), X: i, Rparen: i.End()}
			}
		}
		return true
	})
}

// fieldOfCell matches what the type checker says of a field of another cell's type, or of an
// alias of it.
var fieldOfCell = regexp.MustCompile(`^implicit assignment to unexported field .* of type (cell\.|[^.]*$)`)

// cellName is how the type checker names the package of another cell.
var cellName = regexp.MustCompile(`\bcell\.`)

// dotted reports whether a name of an earlier cell is in the way of an import with a dot.
func (k *composer) dotted(imports []imported, name string) bool {
	return token.IsExported(name) && slices.ContainsFunc(imports, func(i imported) bool {
		if i.name != "." {
			return false
		}
		pkg, err := k.n.importer.Import(i.path)
		return err == nil && pkg.Scope().Lookup(name) != nil
	})
}

// problem notes an error of the type checker.
func (k *composer) problem(at int, imports []imported, e types.Error) {
	e.Msg = Strip(cellName.ReplaceAllString(e.Msg, ""))
	p := Problem{Message: e.Msg}
	if line := k.n.fset.PositionFor(e.Pos, false).Line - 2; at < 0 && line >= 0 && line < len(imports) {
		at = imports[line].at
	}
	if at >= 0 {
		p.Line, p.Column = k.c.Position(at)
	}
	if strings.HasPrefix(e.Msg, "\t") && len(k.problems) > 0 { // goes on
		k.problems[len(k.problems)-1].Message += "\n" + e.Msg
		return
	}
	p.Hint = k.hint(e.Msg, e.Pos)
	k.problems = append(k.problems, p)
}

// hint returns a likely cause of an error, or an empty string.
func (k *composer) hint(message string, at token.Pos) string {
	if name, ok := strings.CutPrefix(message, "undefined: "); ok {
		if why := k.n.lost[name]; why != "" {
			return why
		}
	}
	if strings.HasPrefix(message, "no new variables on left side of :=") {
		return "the cell defines the variable already; assign to it with ="
	}
	if strings.HasSuffix(message, " value in assignment") {
		for _, s := range k.run.Body.List {
			if a, ok := s.(*ast.AssignStmt); ok && a.Tok == token.ASSIGN && len(a.Lhs) == 1 && len(a.Rhs) == 1 && a.Rhs[0].Pos() == at {
				if name, ok := a.Lhs[0].(*ast.Ident); ok && !slices.Contains(k.vars, name.Name) {
					return Strip(name.Name) + " := … makes a variable of another type"
				}
			}
		}
	}
	return ""
}

// topLevelName reports whether a variable that the cell keeps is defined at p.
func (k *composer) topLevelName(p token.Pos) bool {
	for _, s := range k.run.Body.List {
		for _, i := range defined(s) {
			if i.Pos() == p {
				return true
			}
		}
	}
	return false
}

// findLast finds the expression that ends the cell and whose value is to be shown.
func (k *composer) findLast() {
	k.last, k.shown = nil, false
	list := k.run.Body.List
	if len(list) == 0 {
		return
	}
	if x, ok := list[len(list)-1].(*ast.ExprStmt); ok && !cell.Quiet(x.X) {
		k.last = x
	}
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:8])
}

// ref returns the alias of a package of a cell, "" for this cell's.
func (k *composer) ref(path string) string {
	if path == "" {
		return ""
	}
	i := slices.Index(k.needs, path)
	if i < 0 {
		i = len(k.needs)
		k.needs = append(k.needs, path)
	}
	return fmt.Sprintf("%sc%d.", inner, i)
}
