package state

import (
	"fmt"
	"go/token"
	"go/types"
	"maps"
	"slices"
	"strings"
)

// A view is a variable of an earlier cell whose type has been declared again with the
// same layout: the same variable with the new type.

// viewType returns the type of a variable as the text that is checked names it: the
// names of the cells' types are those of the new ones.
func (k *composer) viewType(name string, extra *[]string) (string, error) {
	return typeText(k.n.names[name].Object.Type(), func(t *types.TypeName) (string, error) {
		switch {
		case t.Pkg() == nil || t.Pkg().Path() == cellsPath:
			if now := k.n.names[t.Name()]; t.Pkg() != nil && (now == nil || now.Object != types.Object(t)) {
				return "", fmt.Errorf("its type %s is a former one", t.Name())
			}
			return t.Name(), nil
		case !t.Exported():
			return "", fmt.Errorf("its type %s.%s is not exported", t.Pkg().Name(), t.Name())
		}
		i := slices.Index(*extra, t.Pkg().Path())
		if i < 0 {
			i = len(*extra)
			*extra = append(*extra, t.Pkg().Path())
		}
		return fmt.Sprintf("%sv%d.%s", inner, i, t.Name()), nil
	})
}

// importViews adds the imports that the types of views need, and leaves out the views
// whose types cannot be named.
func (k *composer) importViews(imports []imported) []imported {
	var extra, views []string
	k.viewTypes = map[string]string{}
	for _, name := range k.carries.views {
		text, err := k.viewType(name, &extra)
		if err != nil {
			k.carries.kept = append(k.carries.kept, name)
			continue
		}
		views = append(views, name)
		k.viewTypes[name] = strings.ReplaceAll(text, mark+"V_", "")
	}
	k.carries.views = views
	for i, path := range extra {
		imports = append(imports, imported{fmt.Sprintf("%sv%d", inner, i), path, -1})
	}
	return imports
}

// view is the declaration of a view for the type checker.
func (k *composer) view(name string) string { return "var " + name + " " + k.viewTypes[name] }

// viewAll makes the pointers of the views.
func (k *composer) viewAll(p *Package, vars *strings.Builder) {
	for _, name := range k.carries.views {
		o, ok := k.pkg.Scope().Lookup(name).(*types.Var)
		if !ok {
			continue
		}
		t, err := typeText(o.Type(), k.typeName)
		if err != nil {
			continue
		}
		n := len(p.variables)
		p.variables = append(p.variables, name)
		p.names[name] = types.NewVar(token.NoPos, k.pkg, name, o.Type())
		fmt.Fprintf(vars, "var %sV_%s *%s\n", mark, name, t)
		was := k.ref(k.n.names[name].Package) + mark + "V_" + name
		k.viewed = append(k.viewed, fmt.Sprintf("%sV_%s, %sD[%d] = (*%s)(%su.Pointer(%s)), true", mark, name, mark, n, t, inner, was))
	}
	if kept := k.carries.kept; len(kept) > 0 {
		slices.Sort(kept)
		k.notes = append(k.notes, fmt.Sprintf("%s: made with the former %s, which stays its type until it is made again", strings.Join(kept, ", "), strings.Join(k.carries.changed, ", ")))
	}
}

// drop leaves out declarations of earlier cells that do not fit the new types, and
// reports whether there were any.
func (k *composer) drop() bool {
	if len(k.dropped) == 0 {
		return false
	}
	var labels []string
	for d := range maps.Keys(k.dropped) {
		labels = append(labels, fmt.Sprintf("%s does not fit the new type and is left out (%s)", d.label(), k.dropped[d]))
		if d.recv == "" {
			delete(k.own, d.name)
		}
	}
	slices.Sort(labels)
	k.notes = append(k.notes, labels...)
	k.carries.decls = slices.DeleteFunc(k.carries.decls, func(d *decl) bool { return k.dropped[d] != "" })
	return true
}
