package study

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// open are the keys whose zero would be taken for the default.
var open = []string{"steps", "batch", "evaluations", "stepSize", "halvings", "momentum", "beta2", "memory"}

// counts adds the keys of whole numbers in a type of what a file holds: true, and false for keys
// that can have a fraction in another place. The decoder would round a fraction without a word.
func counts(t reflect.Type, whole map[string]bool, seen map[reflect.Type]bool) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		counts(t.Elem(), whole, seen)
	case reflect.Struct:
		if seen[t] {
			return
		}
		seen[t] = true
		for _, f := range reflect.VisibleFields(t) {
			key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			switch key {
			case "-":
				continue
			case "":
				key = strings.ToLower(f.Name) // goccy/go-yaml's default
			}
			switch k := f.Type.Kind(); {
			case k >= reflect.Int && k <= reflect.Uint64:
				if _, known := whole[key]; !known {
					whole[key] = true
				}
			case k == reflect.Float32 || k == reflect.Float64 || k == reflect.String:
				whole[key] = false
			default:
				counts(f.Type, whole, seen)
			}
		}
	}
}

// checkKeys refuses a zero where it would be taken for the default, fractions of what is counted,
// and keys that are no text, such as null: and 1:, because the decoder drops a whole entry
// without a word where one of its keys is not. The file holds a value of type t.
func checkKeys(data []byte, t reflect.Type) error {
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil // the decoder says so
	}
	k := keys{whole: map[string]bool{"variants": true}} // a count, or fields
	counts(t, k.whole, map[reflect.Type]bool{})
	for _, doc := range file.Docs {
		ast.Walk(&k, doc)
	}
	return k.err
}

// keys is an ast.Visitor.
type keys struct {
	whole map[string]bool
	err   error
}

func (k *keys) Visit(n ast.Node) ast.Visitor {
	m, ok := n.(*ast.MappingValueNode)
	if !ok || k.err != nil {
		return k
	}
	t := m.Key.GetToken()
	line, key := t.Position.Line, t.Value
	switch m.Key.Type() {
	case ast.NullType, ast.BoolType, ast.IntegerType, ast.FloatType, ast.InfinityType, ast.NanType:
		hint := ""
		if m.Key.Type() == ast.NullType {
			hint = ` (the null set of the match statistics is called nullSet)`
		}
		k.err = fmt.Errorf("line %d: the key %s is not text in YAML: write it in quotes%s", line, key, hint)
		return k
	}
	if !slices.Contains(open, key) && !k.whole[key] {
		return k
	}
	v := m.Value.GetToken().Value
	zero := v != "" && strings.Trim(v, "0.-+") == "" && strings.Contains(v, "0")
	switch {
	case zero && slices.Contains(open, key):
		k.err = fmt.Errorf("line %d: %s is %s, expected a number above 0, or no %[2]s for the default", line, key, v)
	case k.whole[key] && m.Value.Type() == ast.FloatType:
		k.err = fmt.Errorf("line %d: %s is %s, expected a whole number", line, key, v)
	}
	return k
}
