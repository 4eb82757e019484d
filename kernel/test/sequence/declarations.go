package sequence

import (
	"fmt"
	"strings"
)

// function declares a new function, or an earlier one again. The program keeps functions
// in variables and sets them where the cell begins.
func (g *generator) function() line {
	name := g.one("f", "g", "h", "k")
	signature := g.one("(a int) int", "(a int) int", "() int", "(a ...int) int")
	var f *function
	for _, was := range g.funcs {
		if bare(was.name) == name {
			f = was
		}
	}
	rank, known := g.ranks[name]
	if !known {
		rank = len(g.ranks) + 1
		g.ranks[name] = rank
	}
	if f != nil && f.pinned {
		signature = f.signature
	}
	body := g.body(signature, rank)
	if f == nil || f.signature != signature {
		if f != nil {
			g.forget(f)
		}
		f = &function{name: g.fresh(name), signature: signature, rank: rank}
		g.package_ = append(g.package_, fmt.Sprintf("var %s func%s", f.name, signature))
		g.funcs = append(g.funcs, f)
	}
	return line{fmt.Sprintf("func %s%s %s\n", f.name, signature, body), fmt.Sprintf("%s = func%s %s", f.name, signature, body)}
}

func (g *generator) forget(f *function) {
	for i, was := range g.funcs {
		if was == f {
			g.funcs = append(g.funcs[:i:i], g.funcs[i+1:]...)
			return
		}
	}
}

// body is the body of a function that returns an int.
func (g *generator) body(signature string, rank int) string {
	was, params := g.rank, g.params
	g.inside, g.rank = true, rank
	defer func() { g.inside, g.rank, g.params = false, was, params }()
	var b strings.Builder
	b.WriteString("{\n")
	switch signature {
	case "(a int) int":
		g.params = append(g.params, &variable{name: "a", kind: "int"})
		fmt.Fprintf(&b, "\tif a > %d {\n\t\treturn a - %d\n\t}\n", 50+g.n(50), g.n(10))
	case "(a ...int) int":
		g.params = append(g.params, &variable{name: "a", kind: "[]int"})
	}
	if v := g.pick("int"); v != nil && g.n(2) == 0 {
		fmt.Fprintf(&b, "\t%s %s %s\n", v.name, g.one("+=", "-=", "="), g.expression("int", 1))
	}
	if v := g.pick("map[string]int"); v != nil && g.n(3) == 0 {
		fmt.Fprintf(&b, "\t%s[%s]++\n", v.name, g.key())
	}
	if g.n(4) == 0 {
		fmt.Fprintf(&b, "\tdefer func() {\n\t\tfmt.Println(\"leaving\", %s)\n\t}()\n", g.expression("int", 0))
	}
	fmt.Fprintf(&b, "\tn := %s\n", g.value("int"))
	fmt.Fprintf(&b, "\tfor i := range %d {\n\t\tn += i * %s\n\t}\n", 1+g.n(4), g.expression("int", 1))
	b.WriteString("\treturn n\n}")
	return b.String()
}

// structure declares a new structure, or an earlier one with other fields: variables of
// the earlier one are not used any more.
func (g *generator) structure() line {
	name := g.one("T", "U", "point")
	for i, s := range g.structs {
		if bare(s.name) != name {
			continue
		}
		if s.pinned {
			return line{}
		}
		g.structs = append(g.structs[:i:i], g.structs[i+1:]...)
		var keep []*variable
		for _, v := range g.vars {
			if v.of != s {
				keep = append(keep, v)
			}
		}
		g.vars = keep
		break
	}
	s := &structure{name: g.fresh(name)}
	for i := range 1 + g.n(3) {
		s.fields = append(s.fields, field{[]string{"A", "b", "C"}[i], g.one("int", "string", "[]int", "float64")})
	}
	s.fields = append(s.fields, field{"n", "int"})
	g.structs = append(g.structs, s)
	var b strings.Builder
	fmt.Fprintf(&b, "type %s struct {\n", s.name)
	for _, f := range s.fields {
		fmt.Fprintf(&b, "\t%s %s\n", f.name, f.kind)
	}
	b.WriteString("}\n")
	g.package_ = append(g.package_, b.String())
	return line{cell: b.String()}
}

// method declares a new method, or, unless once is set, an earlier one again.
func (g *generator) method(s *structure, once bool) line {
	name := g.one("Add", "get")
	receiver := g.one("t ", "t *")
	var m *function
	for _, was := range s.methods {
		if was.name == name {
			m, receiver = was, was.receiver
		}
	}
	if m != nil && once {
		return line{}
	}
	body := fmt.Sprintf("{\n\tt.n += a\n\treturn t.n*%d + %d\n}", 1+g.n(5), g.n(10))
	if m == nil {
		m = &function{name: name, receiver: receiver}
		s.methods = append(s.methods, m)
		g.package_ = append(g.package_,
			fmt.Sprintf("var %s_%s func(%s%s, int) int", g.flat(s), name, strings.TrimPrefix(receiver, "t "), s.name),
			fmt.Sprintf("func (%s%s) %s(a int) int { return %s_%s(t, a) }", receiver, s.name, name, g.flat(s), name))
	}
	return line{fmt.Sprintf("func (%s%s) %s(a int) int %s\n", receiver, s.name, name, body),
		fmt.Sprintf("%s_%s = func(%s%s, a int) int %s", g.flat(s), name, receiver, s.name, body)}
}

// flat is a name of the program for what belongs to a structure.
func (g *generator) flat(s *structure) string {
	return strings.NewReplacer("⟦", "⟦m_", "⟧", "⟧").Replace(s.name)
}

func (g *generator) constant() line {
	for _, name := range []string{"c1", "r0", "d"} {
		if g.current[name] == "" {
			v := &variable{name: g.fresh(name), kind: "int"}
			text := fmt.Sprintf("const %s = %d", v.name, 1+g.n(9))
			g.consts = append(g.consts, v)
			g.package_ = append(g.package_, text)
			return line{cell: text}
		}
	}
	return line{}
}
