package state

import (
	"fmt"
	"go/token"
	"go/types"
	"strconv"
	"strings"
)

// cellsPath is the path that the packages of all cells have for the type checker: what
// is not exported in one cell is visible in the others.
const cellsPath = "cells"

// mark begins the names of what cells are translated to. It is an upper-case letter that
// nobody uses, so that names which are not exported can be used by other cells' packages;
// Strip takes it out of what is shown.
const mark = "\U0001D7CA"

// inner begins the names of the translation's own, which are no cell's.
const inner = mark + mark

// Mark is mark for those who call what cells are translated to.
const Mark = mark

// Strip takes the marks of translated names out of a text that is to be shown.
func Strip(s string) string {
	if !strings.Contains(s, mark) {
		return s
	}
	return strings.NewReplacer(mark+"V_", "", mark+"F_", "", mark, "").Replace(s)
}

// exported returns the name under which other packages can use a name of a cell.
func exported(name string) string {
	if token.IsExported(name) || name == "_" {
		return name
	}
	return mark + name
}

// A printer writes types as the source of a cell's package has to name them.
type printer struct {
	b     strings.Builder
	named func(*types.TypeName) (string, error)
	err   error
}

func typeText(t types.Type, named func(*types.TypeName) (string, error)) (string, error) {
	p := &printer{named: named}
	p.write(t)
	return p.b.String(), p.err
}

func (p *printer) put(s string) { p.b.WriteString(s) }

func (p *printer) write(t types.Type) {
	switch t := t.(type) {
	case *types.Basic:
		if t.Kind() == types.UnsafePointer {
			p.name(types.Unsafe.Scope().Lookup("Pointer").(*types.TypeName))
			return
		}
		p.put(t.Name())
	case *types.Alias:
		p.name(t.Obj())
		p.arguments(t.TypeArgs())
	case *types.Named:
		p.name(t.Obj())
		p.arguments(t.TypeArgs())
	case *types.Pointer:
		p.put("*")
		p.write(t.Elem())
	case *types.Slice:
		p.put("[]")
		p.write(t.Elem())
	case *types.Array:
		p.put("[" + strconv.FormatInt(t.Len(), 10) + "]")
		p.write(t.Elem())
	case *types.Map:
		p.put("map[")
		p.write(t.Key())
		p.put("]")
		p.write(t.Elem())
	case *types.Chan:
		switch t.Dir() {
		case types.SendOnly:
			p.put("chan<- ")
		case types.RecvOnly:
			p.put("<-chan ")
		default:
			p.put("chan ")
		}
		p.put("(")
		p.write(t.Elem())
		p.put(")")
	case *types.Struct:
		p.put("struct{")
		for i := range t.NumFields() {
			if f := t.Field(i); f.Embedded() {
				p.write(f.Type())
			} else {
				p.put(exported(f.Name()) + " ")
				p.write(f.Type())
			}
			if tag := t.Tag(i); tag != "" {
				p.put(" " + strconv.Quote(tag))
			} else if hidden(t.Field(i).Name()) {
				p.put(" " + hiddenTag)
			}
			p.put("; ")
		}
		p.put("}")
	case *types.Signature:
		p.put("func")
		p.signature(t)
	case *types.Interface:
		p.put("interface{")
		for i := range t.NumExplicitMethods() {
			m := t.ExplicitMethod(i)
			p.put(exported(m.Name()))
			p.signature(m.Type().(*types.Signature))
			p.put("; ")
		}
		for i := range t.NumEmbeddeds() {
			p.write(t.EmbeddedType(i))
			p.put("; ")
		}
		p.put("}")
	case *types.Union:
		for i := range t.Len() {
			if i > 0 {
				p.put(" | ")
			}
			if t.Term(i).Tilde() {
				p.put("~")
			}
			p.write(t.Term(i).Type())
		}
	default:
		p.fail(fmt.Errorf("the type %s has no name outside of its function", t))
	}
}

func (p *printer) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

func (p *printer) name(o *types.TypeName) {
	s, err := p.named(o)
	if err != nil {
		p.fail(err)
	}
	p.put(s)
}

func (p *printer) arguments(list *types.TypeList) {
	if list.Len() == 0 {
		return
	}
	p.put("[")
	for i := range list.Len() {
		if i > 0 {
			p.put(", ")
		}
		p.write(list.At(i))
	}
	p.put("]")
}

func (p *printer) signature(t *types.Signature) {
	p.tuple(t.Params(), t.Variadic())
	if t.Results().Len() > 0 {
		p.put(" ")
		p.tuple(t.Results(), false)
	}
}

func (p *printer) tuple(t *types.Tuple, variadic bool) {
	p.put("(")
	for i := range t.Len() {
		if i > 0 {
			p.put(", ")
		}
		if s, ok := t.At(i).Type().(*types.Slice); ok && variadic && i == t.Len()-1 {
			p.put("...")
			p.write(s.Elem())
		} else {
			p.write(t.At(i).Type())
		}
	}
	p.put(")")
}

// hiddenTag keeps encoders from fields that are exported in the translation alone.
const hiddenTag = "`json:\"-\" xml:\"-\" yaml:\"-\"`"

// hidden reports whether a field gets hiddenTag.
func hidden(field string) bool { return exported(field) != field }
