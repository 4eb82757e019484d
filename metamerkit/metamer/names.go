package metamer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// UnknownError reports a name that is not among the known ones: a model, a
// stage, an optimiser, a loss. Nearest lists up to three known names that are
// spelled alike.
type UnknownError struct {
	What, Name string
	Known      []string
	Nearest    []string
}

// Unknown returns an *UnknownError for name, with the nearest of known.
func Unknown(what, name string, known []string) *UnknownError {
	type scored struct {
		name string
		d    int
	}
	var near []scored
	for _, k := range known {
		d := levenshtein.ComputeDistance(strings.ToLower(name), strings.ToLower(k))
		if d <= max(2, len(k)/3) || name != "" && strings.Contains(k, name) {
			near = append(near, scored{k, d})
		}
	}
	slices.SortStableFunc(near, func(a, b scored) int { return a.d - b.d })
	e := &UnknownError{What: what, Name: name, Known: slices.Clone(known)}
	for _, s := range near[:min(3, len(near))] {
		e.Nearest = append(e.Nearest, s.name)
	}
	return e
}

// most is how many names a message lists.
const most = 24

func (e *UnknownError) Error() string {
	s := fmt.Sprintf("unknown %s %q", e.What, e.Name)
	if len(e.Nearest) > 0 {
		return s + ": did you mean " + strings.Join(e.Nearest, " or ") + "?"
	}
	if n := len(e.Known); n > most {
		return fmt.Sprintf("%s: expected one of %d names, such as %s", s, n, strings.Join(e.Known[:5], ", "))
	}
	return s + ": expected one of " + strings.Join(e.Known, ", ")
}

// check returns an *UnknownError unless name is one of known.
func check(what, name string, known []string) error {
	if slices.Contains(known, name) {
		return nil
	}
	return Unknown(what, name, known)
}
