package display

import (
	"fmt"
	"html"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	shownRows = 20 // rows shown of a table
	cellRunes = 80 // characters shown of a cell of a table
)

// A grid is a value as a table: a list of structures, a list of maps with text as keys,
// or a map.
type grid struct {
	heads []string
	right []bool     // columns of numbers
	rows  [][]string // the first shownRows
	total int        // rows of the value
}

// tabulate returns a value as a table; ok is false where it has another form, is empty,
// or its elements have texts of their own.
func tabulate(v any) (g *grid, ok bool) {
	r := reflect.ValueOf(v)
	if !r.IsValid() || hasText(r.Type()) {
		return nil, false
	}
	switch r.Kind() {
	case reflect.Slice, reflect.Array:
		return tabulateList(r)
	case reflect.Map:
		return tabulateMap(r)
	}
	return nil, false
}

var ownText = []reflect.Type{reflect.TypeFor[fmt.Stringer](), reflect.TypeFor[error](), reflect.TypeFor[fmt.Formatter](), reflect.TypeFor[Bundler]()}

// hasText reports whether values of a type, or their addresses, say themselves how they
// are shown.
func hasText(t reflect.Type) bool {
	return slices.ContainsFunc(ownText, func(i reflect.Type) bool { return t.Implements(i) || reflect.PointerTo(t).Implements(i) })
}

// structure returns the type of the structures that t is, or points to.
func structure(t reflect.Type) (reflect.Type, bool) {
	if hasText(t) {
		return nil, false
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t, t.Kind() == reflect.Struct && t.NumField() > 0
}

func tabulateList(list reflect.Value) (*grid, bool) {
	n := list.Len()
	if n == 0 {
		return nil, false
	}
	element := list.Type().Elem()
	if s, ok := structure(element); ok {
		g := &grid{total: n}
		g.addFields(s)
		for i := range min(n, shownRows) {
			g.rows = append(g.rows, fields(list.Index(i), s))
		}
		return g, true
	}
	if element.Kind() != reflect.Map || element.Key().Kind() != reflect.String || hasText(element) {
		return nil, false
	}
	g := &grid{total: n}
	for i := range n {
		for _, k := range list.Index(i).MapKeys() {
			if !slices.Contains(g.heads, k.String()) {
				g.heads = append(g.heads, k.String())
			}
		}
	}
	if len(g.heads) == 0 {
		return nil, false
	}
	slices.Sort(g.heads)
	g.right = make([]bool, len(g.heads))
	for j, h := range g.heads {
		key := reflect.ValueOf(h).Convert(element.Key())
		g.right[j] = true
		for i := range min(n, shownRows) {
			if j == 0 {
				g.rows = append(g.rows, make([]string, len(g.heads)))
			}
			if x := list.Index(i).MapIndex(key); x.IsValid() {
				g.rows[i][j] = short(x)
				for x.Kind() == reflect.Interface {
					x = x.Elem()
				}
				g.right[j] = g.right[j] && x.IsValid() && numeric(x.Type())
			}
		}
	}
	return g, true
}

func tabulateMap(m reflect.Value) (*grid, bool) {
	if m.Len() == 0 {
		return nil, false
	}
	t := m.Type()
	g := &grid{heads: []string{"key"}, right: []bool{numeric(t.Key())}, total: m.Len()}
	s, of := structure(t.Elem())
	if of {
		g.addFields(s)
	} else {
		g.heads, g.right = append(g.heads, "value"), append(g.right, numeric(t.Elem()))
	}
	keys := m.MapKeys()
	slices.SortFunc(keys, order)
	for _, k := range keys[:min(len(keys), shownRows)] {
		row := []string{short(k)}
		if of {
			row = append(row, fields(m.MapIndex(k), s)...)
		} else {
			row = append(row, short(m.MapIndex(k)))
		}
		g.rows = append(g.rows, row)
	}
	return g, true
}

// order compares keys of a map: numbers by value, all else by its text.
func order(a, b reflect.Value) int {
	switch {
	case a.CanInt():
		return compare(a.Int(), b.Int())
	case a.CanUint():
		return compare(a.Uint(), b.Uint())
	case a.CanFloat():
		return compare(a.Float(), b.Float())
	}
	return strings.Compare(short(a), short(b))
}

func compare[T int64 | uint64 | float64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (g *grid) addFields(s reflect.Type) {
	for i := range s.NumField() {
		g.heads = append(g.heads, unmark(s.Field(i).Name))
		g.right = append(g.right, numeric(s.Field(i).Type))
	}
}

// fields returns the texts of a structure's fields; those behind a nil pointer are empty.
func fields(v reflect.Value, s reflect.Type) []string {
	out := make([]string, s.NumField())
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return out
		}
		v = v.Elem()
	}
	for i := range out {
		out[i] = short(v.Field(i))
	}
	return out
}

func numeric(t reflect.Type) bool {
	return t.Kind() >= reflect.Int && t.Kind() <= reflect.Complex128 && !hasText(t)
}

// short is the text of one cell of a table: numbers with six digits, long texts cut.
func short(v reflect.Value) string {
	if v.CanFloat() && !hasText(v.Type()) {
		return strconv.FormatFloat(v.Float(), 'g', 6, 64)
	}
	var b strings.Builder
	if v.Kind() == reflect.Pointer && !v.IsNil() && !hasText(v.Type()) { // not its address
		b.WriteByte('&')
		v = v.Elem()
	}
	write(&b, v, 1)
	s := strings.ReplaceAll(unmark(b.String()), "\n", " ")
	if utf8.RuneCountInString(s) > cellRunes {
		s = string([]rune(s)[:cellRunes-1]) + "…"
	}
	return s
}

// more says how many rows there are beyond those shown; "" if there are none.
func (g *grid) more() string {
	if g.total <= len(g.rows) {
		return ""
	}
	return fmt.Sprintf("%d rows; the first %d are shown", g.total, len(g.rows))
}

// HTML renders the table as notebooks style it.
func (g *grid) HTML() string {
	var b strings.Builder
	row := func(tag string, cells []string) {
		b.WriteString("<tr>")
		for i, c := range cells {
			align := "left"
			if g.right[i] {
				align = "right"
			}
			fmt.Fprintf(&b, `<%s style="text-align:%s">%s</%s>`, tag, align, html.EscapeString(c), tag)
		}
		b.WriteString("</tr>\n")
	}
	b.WriteString("<table>\n<thead>")
	row("th", g.heads)
	b.WriteString("</thead>\n<tbody>\n")
	for _, r := range g.rows {
		row("td", r)
	}
	b.WriteString("</tbody>\n</table>\n")
	if m := g.more(); m != "" {
		b.WriteString("<p>" + m + "</p>\n")
	}
	return b.String()
}

// String renders the table as aligned text.
func (g *grid) String() string {
	lines := append([][]string{g.heads}, g.rows...)
	widths := make([]int, len(g.heads))
	for _, l := range lines {
		for i, c := range l {
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	var b strings.Builder
	for _, l := range lines {
		var line strings.Builder
		for i, c := range l {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c))
			if g.right[i] {
				c = pad + c
			} else {
				c += pad
			}
			if i > 0 {
				line.WriteString("  ")
			}
			line.WriteString(c)
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	b.WriteString(g.more())
	return strings.TrimRight(b.String(), "\n")
}
