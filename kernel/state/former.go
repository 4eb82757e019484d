package state

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"sort"
	"strings"
)

// A cell can define a variable again, use the former one before it does, as in
// y := y + 1, and have functions that use the new one. For the type checker the functions'
// y is declared in the package then, and what the statements mean by y, until they define
// it, has another name: formerName.

func formerName(name string) string { return mark + "V_" + name }

// findFormer notes which names in the statements mean what an earlier cell defined, and
// reports whether there are more than were known. Where no cell did, they are undefined.
func (k *composer) findFormer() (more bool) {
	ast.Inspect(k.run, func(x ast.Node) bool {
		i, ok := x.(*ast.Ident)
		if !ok || !slices.Contains(k.vars, i.Name) || k.own[i.Name] {
			return true
		}
		o := k.info.Uses[i]
		if o == nil || o.Parent() != k.pkg.Scope() || k.formers[o] != nil {
			return true
		}
		if at, _ := k.source(i.Pos()); k.n.names[i.Name] == nil {
			k.problem(at, nil, types.Error{Msg: "undefined: " + i.Name})
		} else {
			k.former[at], more = true, true
		}
		return true
	})
	return more
}

// nameFormer names what those names mean, and gives the names back what they were.
func (k *composer) nameFormer() (back func()) {
	k.formers = map[types.Object]types.Object{}
	was := map[*ast.Ident]string{}
	ast.Inspect(k.run, func(x ast.Node) bool {
		i, ok := x.(*ast.Ident)
		if !ok {
			return true
		}
		if at, once := k.source(i.Pos()); !once || !k.former[at] {
			return true
		}
		was[i] = i.Name
		i.Name = formerName(i.Name)
		if k.pkg.Scope().Lookup(i.Name) == nil {
			o := k.n.names[was[i]].Object
			c := renamed(o, i.Name)
			k.formers[c] = o
			k.pkg.Scope().Insert(c)
		}
		return true
	})
	return func() {
		for i, name := range was {
			i.Name = name
		}
	}
}

// renamed returns an object with another name.
func renamed(o types.Object, name string) types.Object {
	switch o := o.(type) {
	case *types.Const:
		return types.NewConst(token.NoPos, o.Pkg(), name, o.Type(), o.Val())
	case *types.Func:
		return types.NewFunc(token.NoPos, o.Pkg(), name, o.Signature())
	case *types.TypeName:
		return types.NewTypeName(token.NoPos, o.Pkg(), name, o.Type())
	}
	return types.NewVar(token.NoPos, o.Pkg(), name, o.Type())
}

// namingFormer returns a part of the text in which those names have their other name.
func (k *composer) namingFormer(text string, from, to int) string {
	var b strings.Builder
	for _, at := range k.formerIn(from, to) {
		b.WriteString(text[from:at] + formerName(""))
		from = at
	}
	return b.String() + text[from:to]
}

// formerIn returns the places of those names in a part of the text.
func (k *composer) formerIn(from, to int) (out []int) {
	part, ok := k.t.find(from)
	if !ok {
		return nil
	}
	for at := range k.former {
		if at = at - part.source + part.from; from <= at && at < to {
			out = append(out, at)
		}
	}
	sort.Ints(out)
	return out
}
