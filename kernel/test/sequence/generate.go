package sequence

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// laterMethods has methods come in later cells than their type.
const laterMethods = true

// A line is a piece of Go in two spellings: as a cell has it, and as the program has it in
// which every name stands once. Names are written as ⟦name·version⟧ in it.
type line struct{ cell, program string }

func both(format string, args ...any) line {
	s := fmt.Sprintf(format, args...)
	return line{s, s}
}

// A variable is one version of a name at the top level of cells.
type variable struct {
	name, kind string // kind: a Go type, or "struct" and "*struct" with the type
	of         *structure
	pinned     bool // functions or pointers know it: its name is not defined again
	pending    int  // of a channel: values that goroutines are about to send
}

func (v *variable) goType() string {
	switch v.kind {
	case "struct":
		return v.of.name
	case "*struct":
		return "*" + v.of.name
	case "[]struct":
		return "[]" + v.of.name
	}
	return v.kind
}

type structure struct {
	name    string
	fields  []field
	methods []*function
	pinned  bool
}

type field struct{ name, kind string }

// A function is a function of cells, or a method. In the program it is a variable, so
// that it can be defined again.
type function struct {
	name, signature string
	rank            int // it calls functions of lower rank alone
	pinned          bool
	receiver        string
}

// A generator makes one sequence.
type generator struct {
	rng     *rand.Rand
	version int
	current map[string]string // version by bare name: which one the cells mean
	vars    []*variable
	consts  []*variable
	structs []*structure
	funcs   []*function
	ranks   map[string]int

	package_ []string        // declarations of the program
	fixed    map[string]bool // names that this cell has defined or used in a declaration
	params   []*variable     // of the function that is being written
	locals   int
	rank     int  // of the function that is being written
	inside   bool // a function, or a closure that outlives its cell
}

// A Cell of a sequence. Fails is a part of what its error says.
type Cell struct {
	Source string
	Prints string // on standard output
	Shows  string // as the value
	Fails  string

	program string // statements; "" where the cell does not compile
}

func newGenerator(seed uint64) *generator {
	return &generator{rng: rand.New(rand.NewPCG(seed, 22)), current: map[string]string{}, ranks: map[string]int{}}
}

func (g *generator) n(n int) int             { return g.rng.IntN(n) }
func (g *generator) one(of ...string) string { return of[g.n(len(of))] }

// fresh makes a new version of a name the one that cells mean.
func (g *generator) fresh(name string) string {
	g.version++
	v := fmt.Sprintf("⟦%s·%d⟧", name, g.version)
	g.current[name] = v
	return v
}

// sequence makes 5 to 30 cells, mostly few.
func (g *generator) sequence() (cells []*Cell, declarations []string) {
	u := g.rng.Float64()
	for range 5 + int(26*u*u*u) {
		cells = append(cells, g.cell())
	}
	return cells, g.package_
}

func (g *generator) cell() *Cell {
	g.fixed = map[string]bool{}
	var lines []line
	c := &Cell{}
	switch k := g.n(100); {
	case k < 4:
		c.Source = g.one("", "// nothing", "/* nothing\nat all */")
		return c
	case k < 9:
		return g.broken()
	case k < 23:
		lines = append(lines, g.function())
	case k < 32:
		lines = append(lines, g.structure())
		if s := g.structs; len(s) > 0 && lines[0].cell != "" && !laterMethods {
			for range g.n(3) {
				lines = append(lines, g.method(s[len(s)-1], true))
			}
		}
	case k < 39 && len(g.structs) > 0 && laterMethods:
		lines = append(lines, g.method(g.structs[g.n(len(g.structs))], false))
	case k < 43:
		lines = append(lines, g.constant())
	}
	for range 1 + g.n(4) {
		lines = append(lines, g.statement())
	}
	switch k := g.n(100); {
	case k < 12:
		lines = append(lines, g.panics()...)
	case k < 40:
		if kind := g.one("int", "string", "bool", "[]int"); true {
			x := g.expression(kind, 1)
			lines = append(lines, line{x, "value = " + x})
		}
	default:
		lines = append(lines, g.print())
	}
	var source, program []string
	for _, l := range lines {
		if l.cell != "" {
			source = append(source, l.cell)
		}
		if l.program != "" {
			program = append(program, l.program)
		}
	}
	c.Source, c.program = bare(strings.Join(source, "\n")), strings.Join(program, "\n")
	return c
}

// broken is a cell that does not compile; nothing of it runs.
func (g *generator) broken() *Cell {
	name := fmt.Sprintf("nosuch%d", g.n(100))
	before := "fmt.Println(\"never\")"
	if v := g.pick("int"); v != nil && g.n(2) == 0 {
		before = v.name + " = 12345"
	}
	return &Cell{Source: bare(before + "\n" + g.one("fmt.Println("+name+")", name+"++", name+"(1)")), Fails: "undefined: " + name}
}

// bare writes names as cells have them.
func bare(s string) string { return spell(s, func(name, _ string) string { return name }) }

// spell writes each ⟦name·version⟧ of a text.
func spell(s string, as func(name, version string) string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(s, "⟦")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		name, after, _ := strings.Cut(rest, "⟧")
		name, version, _ := strings.Cut(name, "·")
		b.WriteString(as(name, version))
		s = after
	}
}

// pick returns a variable of a kind that can be used, or nil.
func (g *generator) pick(kind string) *variable {
	var have []*variable
	for _, list := range [][]*variable{g.params, g.vars} {
		for _, v := range list {
			if v.kind == kind {
				have = append(have, v)
			}
		}
	}
	if len(have) == 0 {
		return nil
	}
	v := have[g.n(len(have))]
	if g.inside {
		v.pinned = true
	}
	return v
}
