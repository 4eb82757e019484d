package shim

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/ensemble-metamers/metamers/kernel/cell"
)

// goimports runs the real goimports, unless the imports are plain to see, or the very
// same text was given before. GoNB calls it as "goimports -w FILE", and takes nothing
// but the imports from the result.
func goimports(args []string) (int, error) {
	tool := filepath.Join(os.Getenv(ToolsEnv), "goimports")
	if len(args) != 2 || args[0] != "-w" {
		return 0, replace(tool, args, nil)
	}
	text, err := os.ReadFile(args[1])
	if err != nil {
		return 1, err
	}
	if done, ok := quickImports(text); ok {
		return 0, os.WriteFile(args[1], done, 0o600)
	}
	mod, _ := os.ReadFile(filepath.Join(filepath.Dir(args[1]), "go.mod"))
	h := sha256.New()
	fmt.Fprintf(h, "%d %d\n", len(text), len(mod))
	h.Write(text)
	h.Write(mod)
	if Stamp(h.Write, os.Getenv(CheckoutEnv)) != nil {
		return 0, replace(tool, args, nil)
	}
	dir := filepath.Join(os.TempDir(), "imports")
	before := filepath.Join(dir, hex.EncodeToString(h.Sum(nil)[:16]))
	if done, err := os.ReadFile(before); err == nil {
		return 0, os.WriteFile(args[1], done, 0o600)
	}
	cmd := command(tool, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return max(1, cmd.ProcessState.ExitCode()), nil
	}
	if done, err := os.ReadFile(args[1]); err == nil {
		os.MkdirAll(dir, 0o700)
		os.WriteFile(before, done, 0o600)
		trim(dir)
	}
	return 0, nil
}

var versionSuffix = regexp.MustCompile(`^v[0-9]+$`)

// quickImports removes imports that are not used and adds those of the standard
// library that are missing. It gives up (ok is false) where it cannot be sure: a name
// it does not know, or an import whose package may have another name than its path.
func quickImports(text []byte) (done []byte, ok bool) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "", text, 0)
	if err != nil {
		return nil, false
	}
	free := map[*ast.Ident]bool{}
	for _, i := range f.Unresolved {
		free[i] = true
	}
	used := map[string]bool{} // names of packages
	ast.Inspect(f, func(n ast.Node) bool {
		if s, is := n.(*ast.SelectorExpr); is {
			if i, is := s.X.(*ast.Ident); is && free[i] {
				used[i.Name] = true
			}
		}
		return true
	})
	var keep []string
	for _, i := range f.Imports {
		path, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			return nil, false
		}
		line, name := i.Path.Value, ""
		if i.Name != nil {
			name = i.Name.Name
			line = name + " " + line
		} else {
			parts := strings.Split(path, "/")
			name = parts[len(parts)-1]
			if len(parts) > 1 && versionSuffix.MatchString(name) {
				name = parts[len(parts)-2]
			}
		}
		switch {
		case name == "_":
			keep = append(keep, line)
		case name == ".":
			return nil, false
		case used[name]:
			keep = append(keep, line)
			delete(used, name)
		case i.Name == nil && cell.Standard[name] != path:
			return nil, false // its name may be another
		}
	}
	for name := range used {
		path := cell.Standard[name]
		if path == "" {
			return nil, false
		}
		keep = append(keep, strconv.Quote(path))
	}
	var b bytes.Buffer
	at := 0
	for _, d := range f.Decls {
		if g, is := d.(*ast.GenDecl); is && g.Tok == token.IMPORT {
			b.Write(text[at:fset.Position(g.Pos()).Offset])
			at = fset.Position(g.End()).Offset
		}
	}
	b.Write(text[at:])
	rest := b.Bytes()
	head := fset.Position(f.Name.End()).Offset // imports come behind the package clause
	out := append([]byte(nil), rest[:head]...)
	for _, line := range keep {
		out = append(out, "\nimport "+line...)
	}
	return append(append(out, '\n'), rest[head:]...), true
}
