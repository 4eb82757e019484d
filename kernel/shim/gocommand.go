package shim

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ensemble-metamers/metamers/kernel/cell"
	"github.com/ensemble-metamers/metamers/metamerkit/display/channel"
)

// BuildFlags begin the go command that builds the program of a cell. Without a symbol
// table, and with the resolvers of names that are written in Go, the linker, which takes
// most of the time, has half as much to do: C's are an object of C's own to be linked.
var BuildFlags = []string{"build", "-ldflags=-s -w", "-tags=netgo,osusergo"}

func goCommand(args []string) (int, error) {
	switch {
	case len(args) >= 2 && args[0] == "mod" && args[1] == "init":
		return 0, ModInit(".", os.Getenv(CheckoutEnv))
	case len(args) >= 1 && args[0] == "get" && len(positional(args[1:])) == 0:
		return 0, nil
	case len(args) >= 3 && args[0] == "build" && args[1] == "-o" && os.Getenv("GOOS") != "js":
		return build(args[2], "main.go", append(slices.Clone(BuildFlags), args[3:]...))
	case len(args) >= 4 && args[0] == "test" && args[1] == "-c" && args[2] == "-o":
		return build(args[3], "main_test.go", append([]string{"test", "-c"}, args[4:]...))
	}
	return 0, replace(realGo(), args, nil)
}

func positional(args []string) (out []string) {
	for _, a := range args {
		if !strings.HasPrefix(a, "-") {
			out = append(out, a)
		}
	}
	return out
}

// ModInit writes the go.mod and go.sum of cells into dir: the requirements of the
// module in checkout, and that module itself by a replace.
func ModInit(dir, checkout string) error {
	mod, err := os.ReadFile(filepath.Join(checkout, "go.mod"))
	if err != nil {
		return fmt.Errorf("the module that cells import: %w", err)
	}
	name, rest, ok := bytes.Cut(bytes.TrimPrefix(mod, []byte("module ")), []byte("\n"))
	if !ok || !bytes.HasPrefix(mod, []byte("module ")) {
		return fmt.Errorf("%s/go.mod does not begin with a module line", checkout)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "module cells\n%s\nrequire %s v0.0.0\n\nreplace %s => %s\n", rest, name, name, checkout)
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), b.Bytes(), 0o600); err != nil {
		return err
	}
	sum, err := os.ReadFile(filepath.Join(checkout, "go.sum"))
	if err != nil {
		return fmt.Errorf("the module that cells import: %w", err)
	}
	return os.WriteFile(filepath.Join(dir, "go.sum"), sum, 0o600)
}

const noValue = "(no value) used as value"

// dotUnused matches what the compiler says where a package that is imported with a dot
// serves no more, or is in the way of a declaration.
var dotUnused = regexp.MustCompile(`"([^"\s]+)" imported and not used|already declared through dot-import of package \S+ \("([^"\s]+)"\)`)

// mended returns a text that the compiler refused with what is not the user's mistake
// taken away: display.Result around an expression without a value, and the dot of an
// import that GoNB keeps for later cells and this one does not use. It returns nil where
// there is nothing of the kind.
func mended(text, said []byte) []byte {
	if at := bytes.LastIndex(text, []byte(cell.ResultCall)); at >= 0 && bytes.Contains(said, []byte(noValue)) {
		rest := text[at+len(cell.ResultCall):]
		return append(append(text[:at:at], cell.NoneCall+"; ("...), rest...)
	}
	changed := text
	for _, m := range dotUnused.FindAllSubmatch(said, -1) {
		path := strconv.Quote(string(m[1]) + string(m[2]))
		dot := regexp.MustCompile(`(?m)^(\s*(?:import\s+)?)\.(\s+` + regexp.QuoteMeta(path) + `)$`)
		changed = dot.ReplaceAll(changed, []byte("${1}_${2}"))
	}
	if bytes.Equal(changed, text) {
		return nil
	}
	return changed
}

// build builds the program of a cell: out becomes the starter, and out.cell the
// program. What the compiler said goes to the kernel too.
func build(out, source string, args []string) (int, error) {
	text, err := os.ReadFile(source)
	if err != nil {
		return 1, err
	}
	text = cell.MarkPattern.ReplaceAll(text, []byte("/*line Cell[$1]:$2:$3*/"))
	state, err := buildState(source, args)
	if err != nil {
		return 1, err
	}
	cache := os.Getenv(CacheEnv)
	cached := filepath.Join(cache, buildKey(text, state))
	var said []byte
	if _, err := os.Stat(cached); err != nil {
		said, err = compile(cached, source, text, args, recipeFile(cache, text, state, args))
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			return 1, err
		}
		if err != nil {
			os.Stderr.Write(said)
			report(false, said, text)
			return exit.ExitCode(), nil
		}
		trim(cache)
	}
	if err := Place(cached, out+cellSuffix); err != nil {
		return 1, err
	}
	self, err := os.Executable()
	if err != nil {
		return 1, err
	}
	if at, err := os.Readlink(out); err != nil || at != self {
		os.Remove(out)
		if err := os.Symlink(self, out); err != nil {
			return 1, err
		}
	}
	os.Stderr.Write(said)
	report(true, said, text)
	return 0, nil
}

func report(ok bool, said, source []byte) {
	m := channel.Message{Kind: channel.Built, OK: ok, Text: string(said), Data: map[string]string{"source": string(source)}}
	channel.Call(m) // without a kernel there is nobody to tell
}

// recipeFile is where the recipe of a source is kept, "" for none.
func recipeFile(cache string, text []byte, state string, args []string) string {
	if key := recipeKey(text, state, args); key != "" {
		return filepath.Join(cache, key)
	}
	return ""
}

// compile builds text in the place of source into the file cached: by the recipe that
// is kept, else by the go command, from which the recipe is learnt.
func compile(cached, source string, text []byte, args []string, kept string) ([]byte, error) {
	if err := os.MkdirAll(filepath.Dir(cached), 0o700); err != nil {
		return nil, err
	}
	tmp, err := os.MkdirTemp("", "build-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	abs, err := filepath.Abs(source)
	if err != nil {
		return nil, err
	}
	changed := filepath.Join(tmp, source)
	overlay := filepath.Join(tmp, "overlay.json")
	list, err := json.Marshal(map[string]any{"Replace": map[string]string{abs: changed}})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(overlay, list, 0o600); err != nil {
		return nil, err
	}
	program := filepath.Join(tmp, "program")
	for {
		if err := os.WriteFile(changed, text, 0o600); err != nil {
			return nil, err
		}
		said, err := attempt(text, tmp, changed, abs, overlay, program, args, kept)
		if err != nil {
			if changed := mended(text, said); changed != nil {
				text = changed
				continue
			}
			return said, err
		}
		return said, moveFile(program, cached)
	}
}

// attempt builds once. A source that the compiler refuses is an *exec.ExitError.
func attempt(text []byte, tmp, changed, abs, overlay, program string, args []string, kept string) ([]byte, error) {
	if kept != "" {
		if r := readRecipe(kept); r != nil {
			said, err := r.cook(tmp, changed, abs, program)
			if err == nil {
				now := time.Now()
				os.Chtimes(kept, now, now) // for trim: used last
				return nil, nil
			}
			if mended(text, said) != nil {
				return said, err
			}
			// The go command says it in its own words, or does what the recipe cannot.
		}
	}
	extra := []string{args[0], "-overlay=" + overlay, "-o", program}
	learning := kept != ""
	for {
		if learning {
			extra = append(extra, "-x", "-work")
		}
		cmd := command(realGo(), append(slices.Clone(extra), args[1:]...)...)
		cmd.Env = append(cmd.Env, "GOGC=400") // of the linker, which lives for a moment
		said, err := cmd.CombinedOutput()
		if !learning {
			return said, err
		}
		r := learn(said)
		if err == nil {
			if r != nil {
				if data, err := json.Marshal(r); err == nil {
					Keep(data, kept)
				}
			}
			return nil, nil
		}
		extra, learning = extra[:4], false // without the commands among the errors
	}
}

// buildKey identifies a program by all that goes into it.
func buildKey(text []byte, state string) string {
	sum := sha256.Sum256(append([]byte(state+"\n"), text...))
	return hex.EncodeToString(sum[:16])
}

// buildState is all that goes into a program but its source: other sources, the module
// files, the arguments, the go command, and the state of the checkout.
func buildState(source string, args []string) (string, error) {
	h := sha256.New()
	add := func(name string, data []byte) {
		fmt.Fprintf(h, "%s %d\n", name, len(data))
		h.Write(data)
	}
	add(source, nil)
	files, err := filepath.Glob("*")
	if err != nil {
		return "", err
	}
	for _, f := range files {
		if f == source || !strings.HasSuffix(f, ".go") && f != "go.mod" && f != "go.sum" && f != "go.work" {
			continue
		}
		data, err := os.ReadFile(f)
		if err != nil {
			return "", err
		}
		add(f, data)
	}
	if elsewhere(os.Getenv(CheckoutEnv)) {
		add(rand.Text(), nil) // what is there may change: nothing is taken from a cache
	}
	fmt.Fprintf(h, "%q\n", args)
	if info, err := os.Stat(realGo()); err == nil {
		fmt.Fprintf(h, "%s %d %d\n", realGo(), info.Size(), info.ModTime().UnixNano())
	}
	for _, v := range []string{"GOEXPERIMENT", "CGO_ENABLED", "GOOS", "GOARCH", "GOAMD64", "CC", "CGO_CFLAGS", "CGO_LDFLAGS"} {
		fmt.Fprintf(h, "%s=%s\n", v, os.Getenv(v))
	}
	if err := Stamp(h.Write, os.Getenv(CheckoutEnv)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// elsewhere reports whether cells import from folders other than the checkout and the
// module cache: a go.work, or a replacement of a user's own.
func elsewhere(checkout string) bool {
	if _, err := os.Stat("go.work"); err == nil {
		return true
	}
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		return true
	}
	for line := range strings.Lines(string(mod)) {
		if _, to, ok := strings.Cut(line, "=>"); ok {
			to = strings.TrimSpace(to)
			if (strings.HasPrefix(to, ".") || strings.HasPrefix(to, "/")) && to != checkout {
				return true
			}
		}
	}
	return false
}

// Stamp writes name, size and time of every file of the checkout that a cell can
// link.
func Stamp(write func([]byte) (int, error), checkout string) error {
	return StampOf(write, checkout, "metamerkit", "models")
}

// StampOf writes name, size and time of every file of some folders of the checkout.
func StampOf(write func([]byte) (int, error), checkout string, folders ...string) error {
	for _, part := range folders {
		err := filepath.WalkDir(filepath.Join(checkout, part), func(path string, e fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			if e.IsDir() {
				if e.Name() == "testdata" {
					return filepath.SkipDir
				}
				return nil
			}
			if strings.HasSuffix(e.Name(), "_test.go") {
				return nil
			}
			info, err := e.Info()
			if err != nil {
				return nil // gone meanwhile
			}
			write(fmt.Appendf(nil, "%s %d %d\n", path, info.Size(), info.ModTime().UnixNano()))
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
