// Package onednn gives the products and convolutions in programs of XLA's CPU plugin to oneDNN,
// Intel's library, which takes less time than XLA for them (docs/notes/speed.md). It replaces
// operations in the text of a program before it is compiled, so that graphs need not know of it.
package onednn

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Rewrite returns a StableHLO program, as go-xla writes it, with calls of oneDNN in place of
// its two-dimensional convolutions and its products of float32 and, if wanted, of bfloat16,
// and how many it replaced. What oneDNN is not asked to do stays as it is: gradients by
// kernels, dilated windows, products of fewer than 16 rows or columns or of factors whose axes
// are not in order.
func Rewrite(program string, bfloat16 bool) (string, int) {
	var out strings.Builder
	n := 0
	reversed := map[string]string{} // what names of reversed kernels are made of
	for len(program) > 0 {
		line, rest, _ := strings.Cut(program, "\n")
		if strings.Contains(line, "func.func") {
			clear(reversed)
		}
		if o, ok := parse(line, rest); ok && (o.of("f32") || bfloat16 && o.of("bf16")) {
			var call string
			switch {
			case o.name == "reverse" && o.text("dimensions") == "array<i64: 0, 1>":
				reversed[o.result] = o.operands[0]
			case o.name == "convolution":
				call = convolution(o, reversed)
			case o.name == "dot_general":
				call = product(o)
			}
			if call != "" {
				out.WriteString(call)
				program = program[o.length:]
				n++
				continue
			}
		}
		out.WriteString(line)
		if len(line) < len(program) {
			out.WriteByte('\n')
		}
		program = rest
	}
	return out.String(), n
}

// An operation of a program:
//
//	%2 = "stablehlo.reverse"(%1) { attributes } : (tensor<…>) -> tensor<…>
type operation struct {
	result, name string
	operands     []string
	attributes   string
	shapes       []shape // of the operands, then of the result
	length       int     // of its text with its last newline
}

type shape struct {
	dims []int
	typ  string
	text string
}

// parse reads an operation that begins with a line.
func parse(line, rest string) (o operation, ok bool) {
	result, after, ok := strings.Cut(line, ` = "stablehlo.`)
	if !ok {
		return o, false
	}
	o.result = strings.TrimSpace(result)
	o.name, after, _ = strings.Cut(after, `"(`)
	if !slices.Contains([]string{"reverse", "convolution", "dot_general"}, o.name) {
		return o, false
	}
	operands, after, ok := strings.Cut(after, ") {")
	if !ok {
		return o, false
	}
	o.operands = strings.Split(operands, ", ")
	whole := after + "\n" + rest
	before := len(line) - len(after)
	attributes, after, ok := strings.Cut(whole, "} : (tensor<")
	if !ok {
		return o, false
	}
	o.attributes = attributes
	types, _, ok := strings.Cut(after, "\n")
	if !ok {
		return o, false
	}
	o.length = before + len(attributes) + len("} : (tensor<") + len(types) + 1
	in, to, ok := strings.Cut(types, ">) -> tensor<")
	to, tail, closed := strings.Cut(to, ">")
	if !ok || !closed || tail != "" {
		return o, false
	}
	for _, text := range append(strings.Split(in, ">, tensor<"), to) {
		s := shape{text: text}
		parts := strings.Split(text, "x")
		for _, d := range parts[:len(parts)-1] {
			n, err := strconv.Atoi(d)
			if err != nil || n == 0 {
				return o, false
			}
			s.dims = append(s.dims, n)
		}
		s.typ = parts[len(parts)-1]
		o.shapes = append(o.shapes, s)
	}
	return o, len(o.shapes) == len(o.operands)+1
}

// of reports whether all operands and the result are of a type.
func (o operation) of(typ string) bool {
	return !slices.ContainsFunc(o.shapes, func(s shape) bool { return s.typ != typ })
}

// text is an attribute up to the end of its line or of all.
func (o operation) text(name string) string {
	_, after, _ := strings.Cut(o.attributes, name+" = ")
	line, _, _ := strings.Cut(after, "\n")
	return strings.TrimRight(strings.TrimSpace(line), ",")
}

// numbers are the integers in the brackets of an attribute, or the integer that it is.
func (o operation) numbers(name string) (out []int) {
	text := o.text(name)
	if value, _, ok := strings.Cut(text, " : "); ok { // its type has numbers too
		text = value
	}
	text = strings.TrimPrefix(text, "array<i64: ")
	for _, f := range strings.FieldsFunc(text, func(r rune) bool { return r != '-' && (r < '0' || r > '9') }) {
		if n, err := strconv.Atoi(f); err == nil {
			out = append(out, n)
		}
	}
	return out
}

// call is the text of a call of a registered function with what it is told.
func (o operation) call(function string, numbers []int) string {
	var told, layouts []string
	for _, n := range numbers {
		told = append(told, strconv.Itoa(n))
	}
	for _, s := range o.shapes {
		var order []string
		for i := len(s.dims) - 1; i >= 0; i-- {
			order = append(order, strconv.Itoa(i))
		}
		layouts = append(layouts, fmt.Sprintf("dense<[%s]> : tensor<%dxindex>", strings.Join(order, ", "), len(order)))
	}
	last := len(layouts) - 1
	return fmt.Sprintf(`    %s = "stablehlo.custom_call"(%s) { call_target_name = "metamers.%s", api_version = 4 : i32, backend_config = {numbers = array<i64: %s>}, operand_layouts = [%s], result_layouts = [%s] } : (tensor<%s>, tensor<%s>) -> tensor<%s>`+"\n",
		o.result, strings.Join(o.operands, ", "), function, strings.Join(told, ", "), strings.Join(layouts[:last], ", "), layouts[last],
		o.shapes[0].text, o.shapes[1].text, o.shapes[2].text)
}
