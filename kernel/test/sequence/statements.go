package sequence

import (
	"fmt"
	"slices"
)

var kinds = []string{"int", "int", "float64", "string", "string", "bool", "[]int", "[]int", "map[string]int", "[3]int", "func(int) int", "any", "error", "chan int", "*int"}

// statement is a statement at the top level of a cell, which never panics.
func (g *generator) statement() line {
	switch k := g.n(100); {
	case k < 38:
		return g.define()
	case k < 58:
		return g.change()
	case k < 70:
		return g.print()
	case k < 78:
		return g.loop()
	case k < 83:
		return g.branch()
	case k < 88:
		return g.recovered()
	case k < 93:
		return g.goroutine()
	case k < 96:
		return both("defer fmt.Println(%q, %s)", g.word(), g.expression("int", 1))
	}
	return both("_ = %s", g.expression(g.one("int", "string", "[]int"), 1))
}

// define defines a variable under a name that is free, or that another variable has.
func (g *generator) define() line {
	name := g.one("p", "q", "r", "s", "t", "u", "v", "w", "x", "y")
	if g.fixed[name] {
		return g.change()
	}
	for _, v := range g.vars {
		if bare(v.name) == name && (v.pinned || v.pending > 0) {
			return g.change()
		}
	}
	v := &variable{kind: kinds[g.n(len(kinds))]}
	value := ""
	if len(g.structs) > 0 && g.n(4) == 0 {
		v.of = g.structs[g.n(len(g.structs))]
		v.kind = g.one("struct", "*struct", "[]struct")
		value = g.literal(v.of)
		switch v.kind {
		case "*struct":
			value = "&" + value
		case "[]struct":
			value = "[]" + v.of.name + "{" + value + "}"
		}
	} else if v.kind == "chan int" {
		value = fmt.Sprintf("make(chan int, %d)", g.n(3))
	} else {
		value = g.value(v.kind)
	}
	g.vars = slices.DeleteFunc(g.vars, func(was *variable) bool { return bare(was.name) == name })
	v.name = g.fresh(name)
	g.vars = append(g.vars, v)
	g.fixed[name] = true
	g.package_ = append(g.package_, fmt.Sprintf("var %s %s", v.name, v.goType()))
	text := v.name + " := " + value
	if k := v.kind; k == "any" || k == "error" || g.n(4) == 0 {
		text = fmt.Sprintf("var %s %s = %s", v.name, v.goType(), value)
	}
	return line{text, v.name + " = " + value}
}

// change changes a variable, or what it holds.
func (g *generator) change() line {
	if len(g.vars) == 0 {
		return g.print()
	}
	v := g.vars[g.n(len(g.vars))]
	switch v.kind {
	case "int":
		if g.n(2) == 0 {
			return both("%s%s", v.name, g.one("++", "--"))
		}
		if g.n(2) == 0 {
			return both("%s = %s", v.name, g.value("int"))
		}
		return both("%s %s %s", v.name, g.one("+=", "-="), g.expression("int", 2))
	case "string":
		return both("%s += %q", v.name, g.word())
	case "[]int":
		if g.n(2) == 0 {
			return both("if len(%s) > 1 {\n\t%s[1] = %s\n}", v.name, v.name, g.expression("int", 1))
		}
		return both("%s = append(%s, %s)", v.name, v.name, g.expression("int", 1))
	case "map[string]int":
		return both(g.one("%[1]s[%[2]s] += %[3]s", "%[1]s[%[2]s] = %[3]s", "delete(%[1]s, %[2]s); _ = %[3]s"), v.name, g.key(), g.expression("int", 1))
	case "[3]int":
		return both("%s[%d] = %s", v.name, g.n(3), g.expression("int", 1))
	case "struct", "*struct":
		return both("%s.n %s %s", v.name, g.one("=", "+="), g.expression("int", 1))
	case "[]struct":
		return both("for i := range %s {\n\t%s[i].n += %s\n}", v.name, v.name, g.expression("int", 1))
	case "*int":
		return both("*%s %s %s", v.name, g.one("=", "+="), g.expression("int", 1))
	case "func(int) int":
		return both("%s(%s)", v.name, g.expression("int", 1))
	case "chan int":
		if v.pending > 0 {
			v.pending--
			return both("fmt.Println(<-%s)", v.name)
		}
		return both("select {\ncase %s <- %s:\n\tfmt.Println(\"sent\")\ndefault:\n\tfmt.Println(\"full\", len(%s))\n}", v.name, g.expression("int", 1), v.name)
	}
	return both("%s = %s", v.name, g.expression(v.kind, 2))
}

// print prints values.
func (g *generator) print() line {
	if v := g.pick(g.one("struct", "*struct", "[]struct")); v != nil && g.n(2) == 0 {
		star := ""
		if v.kind == "*struct" {
			star = "*"
		}
		return both("fmt.Printf(\"%%+v\\n\", %s%s)", star, v.name)
	}
	if g.n(4) == 0 {
		return both("fmt.Println(%q, %s)", g.word(), g.value("int"))
	}
	return both("fmt.Println(%q, %s, %s)", g.word(), g.expression(g.one("int", "string", "[]int", "map[string]int", "float64"), 2), g.expression(g.one("int", "any", "error", "[3]int", "bool"), 2))
}

func (g *generator) loop() line {
	g.locals++
	i := fmt.Sprintf("i%d", g.locals)
	head := fmt.Sprintf(g.one("for %[1]s := range %[2]d", "for %[1]s := 0; %[1]s < %[2]d; %[1]s++"), i, 1+g.n(4))
	inner := g.print()
	if !slices.ContainsFunc(g.vars, func(v *variable) bool { return v.pending > 0 }) { // what a loop receives is not counted
		inner = g.change()
	}
	return line{head + " {\n" + inner.cell + "\nif " + i + " == 2 {\n\tbreak\n}\n}", head + " {\n" + inner.program + "\nif " + i + " == 2 {\n\tbreak\n}\n}"}
}

func (g *generator) branch() line {
	was := len(g.vars)
	a, b := g.print(), g.print()
	if len(g.vars) != was {
		panic("sequence: a branch defines variables")
	}
	return both("if %s {\n%s\n} else {\n%s\n}", g.expression("bool", 2), a.cell, b.cell)
}

// faults are statements that panic, with what the panic says.
var faults = []struct{ text, says string }{
	{`panic("boom")`, "boom"},
	{`panic(fmt.Errorf("wrapped: %w", io.EOF))`, "wrapped: EOF"},
	{"{\nvar none map[string]int\nnone[\"a\"] = 1\n}", "assignment to entry in nil map"},
	{"{\nzero := len(\"\")\nfmt.Println(1 / zero)\n}", "integer divide by zero"},
	{"{\nlist := []int{1, 2}\ni := len(list) + 3\nfmt.Println(list[i])\n}", "index out of range [5] with length 2"},
	{"{\nvar thing any = \"text\"\nfmt.Println(thing.(int))\n}", "interface conversion: interface {} is string, not int"},
	{"{\nvar nothing *struct{ X int }\nfmt.Println(nothing.X)\n}", "invalid memory address or nil pointer dereference"},
	{"{\nc := make(chan int)\nclose(c)\nclose(c)\n}", "close of closed channel"},
}

// panics ends a cell with a panic; what follows is not reached, and does not define
// anything.
func (g *generator) panics() []line {
	f := faults[g.n(len(faults))]
	lines := []line{{f.text, f.text}}
	if g.n(4) == 0 {
		lines = append([]line{both("defer func() { fmt.Println(\"caught:\", recover()) }()")}, lines...)
	}
	if g.n(2) == 0 {
		lines = append(lines, line{cell: fmt.Sprintf("never%d := 1", g.n(10))})
	}
	if v := g.pick("int"); v != nil {
		lines = append(lines, both("%s = 54321", v.name))
	}
	return lines
}

// recovered is a call that panics and recovers.
func (g *generator) recovered() line {
	f := faults[g.n(len(faults))]
	return both("func() {\n\tdefer func() { fmt.Println(\"recovered:\", recover()) }()\n\t%s\n}()", f.text)
}

// goroutine starts one that a later statement, or this one, hears from.
func (g *generator) goroutine() line {
	was := g.inside
	g.inside = true
	x := fmt.Sprint(g.n(100))
	g.inside = was
	if v := g.pick("chan int"); v != nil && v.pending == 0 && g.n(2) == 0 {
		v.pending++
		return both("for len(%s) > 0 {\n\t<-%s\n}\ngo func() { %s <- %s }()", v.name, v.name, v.name, x)
	}
	return both("{\n\tdone := make(chan int)\n\tgo func() { done <- %s }()\n\tfmt.Println(<-done)\n}", g.expression("int", 1))
}
