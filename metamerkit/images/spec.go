package images

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// IsNamed reports whether an image set is given by a registered name, such as cifar10:16,
// and not by paths.
func IsNamed(spec ...string) bool {
	if len(spec) != 1 {
		return false
	}
	name, _, _ := strings.Cut(spec[0], ":")
	return name == "cifar10" || source(name) != nil
}

// Default is the image set of commands and plans that name none: small photographs for
// images of 32 pixels a side, scenes for larger ones. Programs that use it import
// metamerkit/images/photos.
func Default(size int) string {
	if size == 32 {
		return "photos:16"
	}
	return "scenes:16"
}

// within is a path as it is seen from the folder dir ("": the working directory). As in a
// shell, ~/ at its beginning is the home folder; no shell has seen what cells and plans name.
func within(dir, path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	if dir == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// full are paths as they are seen from the folder dir.
func full(spec []string, dir string) []string {
	out := make([]string, len(spec))
	for i, p := range spec {
		out[i] = within(dir, p)
	}
	return out
}

// Split divides an image set written on one line into names and paths. A line that is
// itself a path, or a path in the folder dir, is not divided. Otherwise spaces separate the
// parts; a part in double or single quotes can have spaces. An open quote is an error.
func Split(line, dir string) ([]string, error) {
	there := func(path string) bool {
		_, err := os.Stat(within(dir, path))
		return err == nil
	}
	line = strings.TrimSpace(line)
	if there(line) {
		return []string{line}, nil
	}
	var out []string
	var word strings.Builder
	quote, begun := rune(0), false
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\'') && !begun:
			quote, begun = r, true
		case quote == 0 && (r == ' ' || r == '\t' || r == '\n'):
			if begun {
				out = append(out, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("images: %s: a quote %c is not closed", line, quote)
	}
	if begun {
		out = append(out, word.String())
	}
	// A path with spaces that is missing is named whole.
	if len(out) > 1 && !slices.ContainsFunc(out, there) && !strings.ContainsAny(line, `"'`) {
		return []string{line}, nil
	}
	return out, nil
}

// OpenLine opens an image set written on one line (see Split).
func OpenLine(line string, o Options) (*Set, error) {
	spec, err := Split(line, o.Folder)
	if err != nil {
		return nil, err
	}
	return Open(spec, o)
}

// Join writes names and paths on one line, quoted where needed, so that Split returns them.
func Join(spec []string) string {
	if len(spec) == 1 {
		return spec[0]
	}
	out := make([]string, len(spec))
	for i, s := range spec {
		out[i] = s
		if strings.ContainsAny(s, " \t\n'") {
			out[i] = `"` + s + `"`
		} else if strings.Contains(s, `"`) {
			out[i] = "'" + s + "'"
		}
	}
	return strings.Join(out, " ")
}

// IsCIFAR reports whether the name of an image set is CIFAR-10 or a part of it, such as
// cifar10:16.
func IsCIFAR(spec string) bool {
	name, _, _ := strings.Cut(spec, ":")
	return name == "cifar10"
}

// twofold returns an error if the name of a set is also a path in the folder dir.
func twofold(spec, dir string) error {
	if _, err := os.Stat(within(dir, spec)); err != nil {
		return nil
	}
	name, part, _ := strings.Cut(spec, ":")
	count := 10000
	if name != "cifar10" && part == "" {
		s, err := source(name)("", Options{Size: 8})
		if err != nil { // its files are not here, which is no reason to take the path
			return metamer.NotPath(dir, spec, metamer.Reading{What: "an image set", Write: name + ":N (the first N)"})
		}
		count = s.Len()
	} else if name == "cifar10" && (part == "train" || strings.HasPrefix(part, "train:")) {
		name, part, count = "cifar10:train", strings.TrimPrefix(strings.TrimPrefix(part, "train"), ":"), 50000
	}
	r := metamer.Reading{What: "the image set " + spec}
	switch from, to, isRange := strings.Cut(part, "-"); {
	case part == "":
		r = metamer.Reading{What: fmt.Sprintf("the image set of %d images", count), Write: fmt.Sprintf("%s:%d", name, count)}
	case !isRange:
		r.Write = name + ":0-" + part
	case from == "0":
		r.Write = name + ":" + to
	default: // another spelling of the same numbers
		r.Write = name + ":0" + part
	}
	return metamer.NotPath(dir, spec, r)
}
