package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

// runForm is what the ID of a run, or its beginning, looks like.
var runForm = regexp.MustCompile(`^[0-9a-f]{1,16}$`)

// runOrPath says whether an argument is a run of the store, given by its ID or the beginning
// of it, perhaps behind "run:", and then returns its whole ID; or a path.
func runOrPath(s *runs.Store, arg string) (name string, isRun bool, err error) {
	id := strings.TrimPrefix(arg, "run:")
	if id == arg && !runForm.MatchString(id) {
		return arg, false, nil
	}
	full, err := runNamed(s, arg)
	if err != nil && (id != arg || !runs.Missing(err)) {
		return "", false, fmt.Errorf("%s: %w", arg, err)
	}
	known := func(n string) bool { return err == nil && n == id }
	_, isRun, twofold := metamer.NameOrPath("run", arg, known)
	if isRun {
		return full, true, twofold
	}
	return arg, false, twofold
}

// runNamed returns the whole ID of a run of the store, given by its ID or the beginning of it,
// perhaps behind "run:", where an argument can be nothing else.
func runNamed(s *runs.Store, arg string) (string, error) {
	return s.Resolve(strings.TrimPrefix(arg, "run:"))
}

// loadRun loads a run of the store, given by its ID or the beginning of it.
func loadRun(s *runs.Store, arg string) (*metamer.Run, error) {
	id, err := runNamed(s, arg)
	if err != nil {
		return nil, err
	}
	return s.Load(id)
}

// loadRuns loads runs of the store in order, each once.
func loadRuns(s *runs.Store, args []string) (out []*metamer.Run, err error) {
	for _, arg := range args {
		run, err := loadRun(s, arg)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(out, func(r *metamer.Run) bool { return r.ID == run.ID }) {
			out = append(out, run)
		}
	}
	return out, nil
}

// imageSpec is the value of --images: a set's name, a folder or files. It takes all values that
// follow it up to the next flag, as a shell expands *.jpg; where the command has arguments of
// its own (tag arguments) only those that are files or folders. The flag may be repeated.
type imageSpec []string

// Decode implements kong.MapperValue.
func (s *imageSpec) Decode(ctx *kong.DecodeContext) error {
	isValue := func(t kong.Token) bool { return t.IsValue() || t.Value == "-" } // - is standard input
	first := ctx.Scan.Pop()
	if !isValue(first) {
		return fmt.Errorf("expected an image set, a folder or files, got %q", first.String())
	}
	*s = append(*s, first.String())
	for next := ctx.Scan.Peek(); isValue(next); next = ctx.Scan.Peek() {
		name := next.String()
		if ctx.Value.Tag.Has("arguments") && !exists(name) {
			break
		}
		ctx.Scan.Pop()
		*s = append(*s, name)
	}
	return nil
}
