package study

import (
	"fmt"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// checkKeys refuses keys that are no text, such as null: and 1:, because the decoder
// drops a whole entry without a word where one of its keys is not.
func checkKeys(data []byte) error {
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil // the decoder says so
	}
	var k keys
	for _, doc := range file.Docs {
		ast.Walk(&k, doc)
	}
	return k.err
}

// keys is an ast.Visitor.
type keys struct{ err error }

func (k *keys) Visit(n ast.Node) ast.Visitor {
	if m, ok := n.(*ast.MappingValueNode); ok && k.err == nil {
		switch m.Key.Type() {
		case ast.NullType, ast.BoolType, ast.IntegerType, ast.FloatType, ast.InfinityType, ast.NanType:
			t := m.Key.GetToken()
			hint := ""
			if m.Key.Type() == ast.NullType {
				hint = ` (the null set of the match statistics is called "null set")`
			}
			k.err = fmt.Errorf("line %d: the key %s is not text in YAML: write it in quotes%s", t.Position.Line, t.Value, hint)
		}
	}
	return k
}
