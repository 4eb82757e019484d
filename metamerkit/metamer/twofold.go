package metamer

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Reading is one thing that a name can stand for.
type Reading struct {
	What  string // such as "the model resnet20"
	Write string // how to write the name so that it stands for this alone
}

// TwofoldError reports a name that stands for two things at once.
type TwofoldError struct {
	Name     string
	Readings [2]Reading
}

func (e *TwofoldError) Error() string {
	a, b := e.Readings[0], e.Readings[1]
	return fmt.Sprintf("%q is both %s and %s: write %s for the first or %s for the second", e.Name, a.What, b.What, a.Write, b.Write)
}

// NameOrPath says whether an argument is a name of some kind, such as "plan", or a path.
// "kind:name" is always the name, and an argument that is not known is a path. A known name
// that is also the path of a file or folder is a *TwofoldError.
func NameOrPath(kind, arg string, known func(name string) bool) (name string, isName bool, err error) {
	if name, ok := strings.CutPrefix(arg, kind+":"); ok && known(name) {
		return name, true, nil
	}
	if !known(arg) {
		return arg, false, nil
	}
	return arg, true, NotPath("", arg, Reading{"the " + kind + " " + arg, kind + ":" + arg})
}

// NullName is the name of a null set that was typed in the folder dir ("": the working
// directory): NoNull for "none" and "null:none". "none" is a *TwofoldError where a file or
// folder is called so.
func NullName(dir, typed string) (string, error) {
	switch typed {
	case "null:" + NoNull:
		return NoNull, nil
	case NoNull:
		return NoNull, NotPath(dir, typed, Reading{"the word for no null set", "null:" + NoNull})
	}
	return typed, nil
}

// NotPath returns a *TwofoldError if a name, which stands for the reading given, is also the
// path of a file or folder in the folder dir ("": the working directory).
func NotPath(dir, name string, r Reading) error {
	path := name
	if dir != "" {
		path = filepath.Join(dir, name)
	}
	st, err := os.Stat(path)
	if err != nil || name == "" {
		return nil
	}
	what := "a file here"
	if st.IsDir() {
		what = "a folder here"
	}
	return &TwofoldError{name, [2]Reading{r, {what, "./" + name}}}
}
