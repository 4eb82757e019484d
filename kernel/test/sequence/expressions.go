package sequence

import (
	"fmt"
	"strings"
)

// value is an expression, or a call of a function of cells. Such a call changes variables
// and Go does not say whether these are read before it: it stands alone.
func (g *generator) value(kind string) string {
	if kind == "int" && g.n(2) == 0 {
		if s := g.call(); s != "" {
			return s
		}
	}
	return g.expression(kind, 2)
}

// expression returns an expression of a kind that never panics, changes nothing, and is no
// constant that overflows.
func (g *generator) expression(kind string, depth int) string {
	v := g.pick(kind)
	if v != nil && (depth <= 0 || g.n(3) > 0) && kind != "chan int" {
		return v.name
	}
	deep := depth > 0
	switch kind {
	case "int":
		if deep {
			switch g.n(8) {
			case 0, 1:
				return fmt.Sprintf("(%s %s %s)", g.expression("int", depth-1), g.one("+", "-", "*"), g.expression("int", depth-1))
			case 2:
				return fmt.Sprintf("(%s %s %d)", g.expression("int", depth-1), g.one("/", "%"), 1+g.n(9))
			case 3:
				return "len(" + g.expression(g.one("[]int", "string", "map[string]int"), depth-1) + ")"
			case 4:
				return g.expression("map[string]int", depth-1) + "[" + g.key() + "]"
			case 5:
				if v := g.pick("*int"); v != nil {
					return "*" + v.name
				}
			case 6:
				if s := g.member("int"); s != "" {
					return s
				}
			case 7:
				if len(g.consts) > 0 {
					return g.consts[g.n(len(g.consts))].name
				}
			}
		}
		return fmt.Sprint(g.n(10))
	case "float64":
		if deep && g.n(2) == 0 {
			return fmt.Sprintf("(%s %s float64(%s))", g.expression("float64", depth-1), g.one("+", "-", "*"), g.expression("int", depth-1))
		}
		return fmt.Sprintf("%d.%d", g.n(10), 1+g.n(9))
	case "string":
		if deep {
			switch g.n(5) {
			case 0:
				return fmt.Sprintf("(%s + %q)", g.expression("string", depth-1), g.word())
			case 1:
				return "strings.ToUpper(" + g.expression("string", depth-1) + ")"
			case 2:
				return "strconv.Itoa(" + g.expression("int", depth-1) + ")"
			case 3:
				return "fmt.Sprint(" + g.expression(g.one("[]int", "float64", "bool", "map[string]int"), depth-1) + ")"
			case 4:
				if s := g.member("string"); s != "" {
					return s
				}
			}
		}
		return fmt.Sprintf("%q", g.word())
	case "bool":
		switch g.n(4) {
		case 0:
			return fmt.Sprintf("(%s %s %s)", g.expression("int", depth-1), g.one("<", ">=", "==", "!="), g.expression("int", depth-1))
		case 1:
			return fmt.Sprintf("(%s == %q)", g.expression("string", depth-1), g.word())
		case 2:
			return fmt.Sprintf("slices.Contains(%s, %d)", g.expression("[]int", depth-1), g.n(10))
		}
		return g.one("true", "false")
	case "[]int":
		if deep && g.n(2) == 0 {
			return fmt.Sprintf("append(slices.Clone(%s), %s)", g.expression("[]int", depth-1), g.expression("int", depth-1))
		}
		return fmt.Sprintf("[]int{%d, %d}", g.n(10), g.n(10))
	case "[3]int":
		return fmt.Sprintf("[3]int{%d, %s}", g.n(10), g.expression("int", depth-1))
	case "map[string]int":
		return fmt.Sprintf("map[string]int{%s: %s}", g.key(), g.expression("int", depth-1))
	case "*int":
		for _, v := range g.vars {
			if v.kind == "int" && g.n(2) == 0 {
				v.pinned = true
				return "&" + v.name
			}
		}
		return "new(int)"
	case "func(int) int":
		return g.closure()
	case "any":
		return g.expression(g.one("int", "string", "bool", "float64"), depth-1)
	case "error":
		return g.one("io.EOF", fmt.Sprintf("errors.New(%q)", g.word()), fmt.Sprintf("fmt.Errorf(\"%%w after %%d\", io.EOF, %s)", g.expression("int", depth-1)))
	}
	panic("sequence: no expression of kind " + kind)
}

func (g *generator) word() string { return g.one("a", "bc", "def", "é", "x y", "") }
func (g *generator) key() string  { return g.one(`"a"`, `"b"`, `"c"`) }

// closure is a function literal that may change a variable of a cell, or one of its own.
func (g *generator) closure() string {
	was := g.inside
	g.inside = true
	defer func() { g.inside = was }()
	if v := g.pick("int"); v != nil && g.n(2) == 0 {
		return fmt.Sprintf("func(a int) int { %s += a; return %s }", v.name, v.name)
	}
	if g.n(2) == 0 {
		return fmt.Sprintf("func() func(int) int { n := %d; return func(a int) int { n += a; return n } }()", g.n(10))
	}
	return fmt.Sprintf("func(a int) int { return a*%d + %s }", 1+g.n(5), g.expression("int", 1))
}

// call is a call of a function, method or closure; "" if there is none.
func (g *generator) call() string {
	var have []string
	arg := func() string { return g.expression("int", 1) }
	for _, f := range g.funcs {
		if g.inside && f.rank >= g.rank {
			continue
		}
		if g.inside {
			f.pinned = true
		}
		switch f.signature {
		case "(a int) int":
			have = append(have, f.name+"("+arg()+")")
		case "() int":
			have = append(have, f.name+"()")
		case "(a ...int) int":
			have = append(have, f.name+"("+arg()+", "+arg()+")")
		}
	}
	if !g.inside {
		if v := g.pick("func(int) int"); v != nil {
			have = append(have, v.name+"("+arg()+")")
		}
		for _, k := range []string{"struct", "*struct"} {
			if v := g.pick(k); v != nil {
				for _, m := range v.of.methods {
					have = append(have, v.name+"."+m.name+"("+arg()+")")
				}
			}
		}
	}
	if len(have) == 0 {
		return ""
	}
	return have[g.n(len(have))]
}

// member is a field of a structure; "" if there is none.
func (g *generator) member(kind string) string {
	v := g.pick(g.one("struct", "*struct"))
	if v == nil {
		return ""
	}
	if g.inside {
		v.of.pinned = true
	}
	for _, f := range v.of.fields {
		if f.kind == kind {
			return v.name + "." + f.name
		}
	}
	return ""
}

// literal is a value of a structure.
func (g *generator) literal(s *structure) string {
	var parts []string
	for _, f := range s.fields {
		parts = append(parts, f.name+": "+g.expression(f.kind, 1))
	}
	return s.name + "{" + strings.Join(parts, ", ") + "}"
}
