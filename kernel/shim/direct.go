package shim

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A recipe is how the go command had a cell's program compiled and linked. Cells with
// the same imports differ in their own text alone: the next one is compiled and linked
// in the same way, without the go command, which would look at every package again.
type recipe struct {
	Compile, Link             []string // with names of ours in the place of files
	ImportCompile, ImportLink string   // the contents of their -importcfg
}

// In the arguments of a recipe.
const (
	hereSource  = "\x00source"
	hereTmp     = "\x00tmp"    // the folder of the source
	hereFolder  = "\x00folder" // that which the go command knows it in
	hereObject  = "\x00object"
	hereProgram = "\x00program"
	hereImports = "\x00imports"
)

// recipeKey names the recipe of a source: all that a build depends on (rest) but the
// text, and what the text imports. "" where the go command has more to do than to
// compile one file and to link.
func recipeKey(text []byte, rest string, args []string) string {
	if !slices.Equal(args, BuildFlags) || bytes.Contains(text, []byte("//go:")) {
		return ""
	}
	if others, err := filepath.Glob("*.go"); err != nil || len(others) != 1 {
		return ""
	}
	f, err := parser.ParseFile(token.NewFileSet(), "", text, parser.ImportsOnly)
	if err != nil {
		return ""
	}
	var paths []string
	for _, i := range f.Imports {
		if i.Path.Value == `"C"` {
			return ""
		}
		paths = append(paths, i.Path.Value)
	}
	slices.Sort(paths)
	sum := sha256.Sum256([]byte(rest + strings.Join(slices.Compact(paths), " ")))
	return "recipe-" + hex.EncodeToString(sum[:16])
}

func readRecipe(path string) *recipe {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	var r recipe
	if json.Unmarshal(data, &r) != nil {
		return nil
	}
	return &r
}

// errRecipe says that a recipe does not serve (any more), such as when a file that it
// names was removed from the build cache.
var errRecipe = errors.New("the recipe does not serve")

// cook compiles and links a source by the recipe, in the folder tmp. abs is the name of
// the source as the go command knows it. What the compiler says of the source comes
// with its *exec.ExitError.
func (r *recipe) cook(tmp, source, abs, program string) (said []byte, err error) {
	run := func(args []string, imports string) ([]byte, error) {
		list := filepath.Join(tmp, "importcfg")
		if err := os.WriteFile(list, []byte(imports), 0o600); err != nil {
			return nil, err
		}
		names := strings.NewReplacer(hereSource, source, hereTmp, filepath.Dir(source), hereFolder, filepath.Dir(abs), hereObject, filepath.Join(tmp, "object.a"), hereProgram, program, hereImports, list)
		var with []string
		for _, a := range args {
			with = append(with, names.Replace(a))
		}
		cmd := command(with[0], with[1:]...)
		cmd.Env = append(cmd.Env, "GOGC=400", "GOROOT="+filepath.Join(with[0], "../../../.."))
		return cmd.CombinedOutput()
	}
	if said, err = run(r.Compile, r.ImportCompile); err != nil {
		return said, err
	}
	if said, err = run(r.Link, r.ImportLink); err != nil {
		return nil, fmt.Errorf("%w: %s", errRecipe, said)
	}
	return nil, nil
}

// learn makes a recipe of what go build -x -work said, whose working folder it removes.
// It returns nil where that is not the compilation of one file and a link.
func learn(said []byte) *recipe {
	var work string
	r := &recipe{}
	for line := range strings.Lines(string(said)) {
		line = strings.TrimSpace(line)
		if w, ok := strings.CutPrefix(line, "WORK="); ok && work == "" {
			work = w
			defer os.RemoveAll(work)
		}
		words := words(line)
		at := slices.IndexFunc(words, func(w string) bool { return strings.HasSuffix(w, "/compile") || strings.HasSuffix(w, "/link") })
		if at < 0 || work == "" || slices.Contains(words, "-V=full") {
			continue
		}
		for i, w := range words {
			words[i] = strings.ReplaceAll(w, "$WORK", work)
		}
		switch {
		case strings.HasSuffix(words[at], "/link"):
			if r.Link != nil {
				return nil
			}
			r.Link = words[at:]
		case slices.Contains(words, "main"):
			if r.Compile != nil {
				return nil
			}
			r.Compile = words[at:]
		}
	}
	if r.Compile == nil || r.Link == nil {
		return nil
	}
	var ok [2]bool
	r.Compile, r.ImportCompile, ok[0] = general(r.Compile, hereObject, hereSource)
	r.Link, r.ImportLink, ok[1] = general(r.Link, hereProgram, hereObject)
	if !ok[0] || !ok[1] {
		return nil
	}
	if i := slices.Index(r.Compile, "-trimpath"); i >= 0 {
		r.Compile[i+1] = hereTmp + "=>" + hereFolder
	}
	return r
}

// general puts names of ours in the place of an output, an input and an import list,
// whose contents it returns, and leaves out what identifies one build.
func general(args []string, out, in string) (list []string, imports string, ok bool) {
	for i := 0; i < len(args)-1; i++ {
		switch a := args[i]; {
		case a == "-buildid":
			i++
		case strings.HasPrefix(a, "-buildid="):
		case a == "-o":
			list = append(list, a, out)
			i++
		case a == "-importcfg":
			data, err := os.ReadFile(args[i+1])
			if err != nil {
				return nil, "", false
			}
			imports, ok = string(data), true
			list = append(list, a, hereImports)
			i++
		default:
			list = append(list, a)
		}
	}
	return append(list, in), imports, ok
}

// words splits a line of go build -x, where arguments are quoted as Go's strings where
// they need it.
func words(line string) (out []string) {
	for line = strings.TrimLeft(line, " "); line != ""; line = strings.TrimLeft(line, " ") {
		if q, err := strconv.QuotedPrefix(line); err == nil {
			if w, err := strconv.Unquote(q); err == nil {
				out, line = append(out, w), line[len(q):]
				continue
			}
		}
		w, rest, _ := strings.Cut(line, " ")
		out, line = append(out, w), rest
	}
	return out
}
