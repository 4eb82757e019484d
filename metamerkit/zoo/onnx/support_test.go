package onnx_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"
	"google.golang.org/protobuf/proto"

	. "github.com/ensemble-metamers/metamers/metamerkit/zoo/onnx"
)

const page = "../../../docs/notes/onnx.md"

// The suites of cases, and the lines of the page between which the tables stand.
var (
	suites  = []string{"nodes", "sweep", "modules", "library"}
	borders = [2]string{"<!-- tables: go test ./metamerkit/zoo/onnx -update -->\n", "<!-- end of tables -->\n"}
)

// TestSupportTable holds the tables of docs/notes/onnx.md against the lists of refused cases
// and the results of TestClassifiers, from which -update makes them.
func TestSupportTable(t *testing.T) {
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(data), borders[0])
	old, tail, closed := strings.Cut(rest, borders[1])
	if !ok || !closed {
		t.Fatalf("%s lacks the lines %q", page, borders)
	}
	tables := operatorTable(t) + classifierTable(t)
	if *update {
		if err := os.WriteFile(page, []byte(head+borders[0]+tables+borders[1]+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if tables != old {
		t.Errorf("the tables of %s are not current: run the tests of this package with -update", page)
	}
}

// support is what the cases say of one operator.
type support struct {
	right, refused map[string]int             // by suite
	computed       map[string]map[string]bool // attribute → values of computed cases; no values where they are no text and no small number
	not            map[string]bool            // attribute=value of refused cases
}

func operatorTable(t *testing.T) string {
	ops := map[string]*support{}
	of := func(op string) *support {
		if ops[op] == nil {
			ops[op] = &support{map[string]int{}, map[string]int{}, map[string]map[string]bool{}, map[string]bool{}}
		}
		return ops[op]
	}
	total := support{right: map[string]int{}, refused: map[string]int{}}
	for _, suite := range suites {
		refused := refusedCases(t, suite)
		for _, c := range cases(t, golden+suite+".tar.gz") {
			if refused[c.name] {
				total.refused[suite]++
			} else {
				total.right[suite]++
			}
			var m protos.ModelProto
			if err := proto.Unmarshal(c.model, &m); err != nil {
				t.Fatal(err)
			}
			if suite == "modules" || suite == "library" {
				continue // of a whole network, not of one operator
			}
			s := of(c.op())
			if refused[c.name] {
				s.refused[suite]++
			} else {
				s.right[suite]++
			}
			for _, n := range m.Graph.Node {
				for _, a := range n.Attribute {
					name, v := attribute(a)
					if s := of(n.OpType); !refused[c.name] {
						if s.computed[name] == nil {
							s.computed[name] = map[string]bool{}
						}
						s.computed[name][v] = true
					} else if n.OpType == c.op() {
						s.not[name+"\x00"+v] = true
					}
				}
			}
		}
	}
	var w bytes.Buffer
	w.WriteString("\n| Suite | Cases | Right | Refused |\n|---|---|---|---|\n")
	for _, suite := range suites {
		right, refused := total.right[suite], total.refused[suite]
		fmt.Fprintf(&w, "| %s | %d | %d | %d |\n", suite, right+refused, right, refused)
	}
	w.WriteString("\n| Operator | Opsets | Attributes | Only in refused cases | Node tests right, refused | Sweep right, refused |\n|---|---|---|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(ops)) {
		s, opsets := ops[name], "refused"
		if since, until, ok := Opsets(name); ok {
			opsets = fmt.Sprintf("%d to %d", since, until)
		} else if s.right["nodes"]+s.right["sweep"] > 0 {
			opsets = "only constant, or expanded as a function"
		}
		if len(s.right)+len(s.refused) == 0 {
			continue // only beside other operators
		}
		var not []string
		for pair := range s.not {
			attr, v, _ := strings.Cut(pair, "\x00")
			if !s.computed[attr][v] {
				not = append(not, strings.TrimSuffix(attr+"="+v, "="))
			}
		}
		slices.Sort(not)
		fmt.Fprintf(&w, "| %s | %s | %s | %s | %d, %d | %d, %d |\n", name, opsets, strings.Join(attributes(s.computed), ", "), strings.Join(not, ", "), s.right["nodes"], s.refused["nodes"], s.right["sweep"], s.refused["sweep"])
	}
	return w.String()
}

// attribute returns an attribute's name and its value, if that is text or 0 or 1.
func attribute(a *protos.AttributeProto) (name, value string) {
	switch {
	case a.Type == protos.AttributeProto_STRING && a.Name != "equation":
		return a.Name, string(a.S)
	case a.Type == protos.AttributeProto_INT && (a.I == 0 || a.I == 1) && a.Name != "axis":
		return a.Name, fmt.Sprint(a.I)
	}
	return a.Name, ""
}

func attributes(computed map[string]map[string]bool) (out []string) {
	for _, name := range slices.Sorted(maps.Keys(computed)) {
		values := slices.DeleteFunc(slices.Sorted(maps.Keys(computed[name])), func(v string) bool { return v == "" || v == "0" || v == "1" })
		if len(values) > 0 {
			name += " (" + strings.Join(values, ", ") + ")"
		}
		out = append(out, name)
	}
	return out
}

func classifierTable(t *testing.T) string {
	all := classifiers(t)
	right := 0
	var w bytes.Buffer
	w.WriteString("\n| Classifier | Pixels | Default exporter: logits, gradient | TorchScript, opset 17: logits, gradient |\n|---|---|---|---|\n")
	for _, name := range classifierNames(all) {
		cells, ok, size := []string{}, true, 0
		for _, label := range []string{"dynamo", "script"} {
			c, found := all[name+"."+label]
			switch {
			case !found:
				cells = append(cells, "torch cannot export it")
			case c.Refused != "":
				cells, ok = append(cells, "refused: "+strings.ReplaceAll(c.Refused, "|", "\\|")), false
			default:
				cell := fmt.Sprintf("%.1e, %.1e (opset %d)", c.Logits, c.Gradient, c.Opset)
				if c.Rounding > 0 {
					cell += fmt.Sprintf("; rounding moves torch's own gradient by %.1e", c.Rounding)
				}
				cells, ok = append(cells, cell), ok && c.right() && c.Gradient <= 1e-3
			}
			size = max(size, c.Size)
		}
		if ok {
			right++
		}
		fmt.Fprintf(&w, "| %s | %d | %s | %s |\n", name, size, cells[0], cells[1])
	}
	fmt.Fprintf(&w, "\n%d of %d classifiers are right, to 1e-4 and 1e-3, in every export that torch makes.\n\n", right, len(classifierNames(all)))
	return w.String()
}
