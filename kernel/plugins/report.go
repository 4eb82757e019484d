package plugins

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// A report is what a command writes on standard error. With -v the go command writes the
// path of each package that it compiles, on a line of its own.
type report struct {
	mu   sync.Mutex
	text bytes.Buffer
}

var packageLine = regexp.MustCompile(`^[\w./~-]+\n$`)

func (r *report) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

// split returns the packages that were compiled until now, and the other lines.
func (r *report) split() (packages []string, rest string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for line := range strings.Lines(r.text.String()) {
		if packageLine.MatchString(line) {
			packages = append(packages, strings.TrimSpace(line))
		} else {
			rest += line
		}
	}
	return packages, rest
}

// Compiling says how far the go command is that compiles packages for the session, or is
// empty if none does.
func (b *Builder) Compiling() string {
	r := b.report.Load()
	if r == nil {
		return ""
	}
	packages, _ := r.split()
	if len(packages) == 0 {
		return ""
	}
	return fmt.Sprintf("compiling packages that the session needs (once): %d, now %s", len(packages), packages[len(packages)-1])
}
