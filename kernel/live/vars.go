package live

import (
	"errors"
	"fmt"
	"html"
	"os"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/ensemble-metamers/metamers/kernel/live/protocol"
	"github.com/ensemble-metamers/metamers/kernel/state"
)

// Strip takes out of a text the marks of translated names.
func Strip(s string) string { return state.Strip(s) }

// answerTime is how long the process may take to describe variables, whose methods are those of
// cells, and to take over settings.
const answerTime = 20 * time.Second

// A Variable is one of a session.
type Variable struct {
	Name string
	protocol.Value
}

// Describe returns the variables of the session, by name.
func (s *Session) Describe() ([]Variable, error) {
	s.running.Lock()
	defer s.running.Unlock()
	s.mu.Lock()
	p := s.process
	s.mu.Unlock()
	if p == nil || !p.alive() {
		return nil, nil
	}
	var list []Variable
	var places []protocol.Place
	for _, name := range s.Variables() {
		pkg, index := s.notebook.Place(name)
		places = append(places, protocol.Place{Package: pkg, Index: index})
		list = append(list, Variable{Name: name})
	}
	r, err := p.ask(protocol.Request{Kind: protocol.KindValues, Values: places}, answerTime)
	if err != nil {
		return nil, err
	}
	for i := range min(len(list), len(r.Values)) {
		v := r.Values[i]
		v.Text = strip(v.Text)
		v.Type = strings.ReplaceAll(strip(v.Type), "cell.", "")
		list[i].Value = v
	}
	return list, nil
}

// Table returns the variables as text and as HTML.
func (s *Session) Table() (text, page string, err error) {
	list, err := s.Describe()
	if err != nil {
		return "", "", err
	}
	if len(list) == 0 {
		return "no variables", "<p>no variables</p>", nil
	}
	rows := [][]string{{"name", "type", "size", "value"}}
	for _, v := range list {
		rows = append(rows, []string{v.Name, v.Type, humanize.Bytes(uint64(v.Bytes)), strings.ReplaceAll(v.Text, "\n", " ")})
	}
	var wide [3]int
	for _, r := range rows {
		for i := range wide {
			wide[i] = max(wide[i], len([]rune(r[i])))
		}
	}
	var t, h strings.Builder
	h.WriteString("<table>")
	for i, r := range rows {
		fmt.Fprintf(&t, "%-*s  %-*s  %*s  %s\n", wide[0], r[0], wide[1], r[1], wide[2], r[2], r[3])
		tag := map[bool]string{true: "th", false: "td"}[i == 0]
		h.WriteString("<tr>")
		for _, x := range r {
			fmt.Fprintf(&h, "<%s style=\"text-align:left\">%s</%s>", tag, html.EscapeString(x), tag)
		}
		h.WriteString("</tr>")
	}
	h.WriteString("</table>")
	return strings.TrimRight(t.String(), "\n"), h.String(), nil
}

// Outline returns the imports of the session and what is defined in it as Go source, for
// questions of an editor.
func (s *Session) Outline() (imports, program string) {
	s.running.Lock()
	defer s.running.Unlock()
	return s.notebook.Outline()
}

// ForgetImports forgets the imports of earlier cells.
func (s *Session) ForgetImports() {
	s.running.Lock()
	defer s.running.Unlock()
	s.notebook.ForgetImports()
}

// Require takes over the module files in a folder. It says so where packages that the
// session may have loaded are others by them.
func (s *Session) Require(dir string) (stale string, err error) {
	s.running.Lock()
	defer s.running.Unlock()
	changed, err := s.o.Builder.Require(dir)
	if err != nil || len(changed) == 0 {
		return "", err
	}
	return fmt.Sprintf("%s (and %d others) would be of another version: the session goes on with those that it has, and %%restart, which loses the variables, takes the new ones", changed[0], len(changed)-1), nil
}

// Command carries out GoNB's lines that concern the session: %env NAME VALUE, %cd FOLDER,
// %rm NAMES and %ls. It reports whether the line is not GoNB's at all then, and returns
// what is to be shown.
func (s *Session) Command(line string) (mine bool, text string, err error) {
	words := strings.Fields(strings.TrimPrefix(strings.TrimPrefix(line, "//gonb:"), "%"))
	if len(words) == 0 || !strings.HasPrefix(strings.TrimPrefix(line, "//gonb:"), "%") {
		return false, "", nil
	}
	q := protocol.Request{Kind: protocol.KindSet}
	switch words[0] {
	case "rm", "remove":
		s.running.Lock()
		defer s.running.Unlock()
		for _, name := range words[1:] {
			if !s.notebook.Remove(name) {
				return true, "", fmt.Errorf("%s is not defined", name)
			}
		}
		return true, "", nil
	case "ls", "list":
		_, program := s.Outline()
		return true, strings.TrimPrefix(program, "package main\n"), nil
	case "env":
		if len(words) < 2 {
			return false, "", nil
		}
		name, value, ok := strings.Cut(strings.Join(words[1:], " "), "=")
		if !ok {
			name, value, _ = strings.Cut(strings.Join(words[1:], " "), " ")
		}
		q.Env = map[string]string{name: value}
	case "cd":
		if len(words) < 2 {
			return false, "", nil
		}
		q.Dir = words[1] // relative to the folder of the session's process
		if rest, ok := strings.CutPrefix(q.Dir, "~"); ok && (rest == "" || rest[0] == '/') {
			home, err := os.UserHomeDir()
			if err != nil {
				return false, "", err
			}
			q.Dir = home + rest
		}
	default:
		return false, "", nil
	}
	s.running.Lock()
	defer s.running.Unlock()
	p, err := s.ready()
	if err != nil {
		return false, "", err
	}
	r, err := p.ask(q, answerTime)
	if err == nil && r.Error != "" {
		err = errors.New(r.Error)
	}
	if err == nil {
		s.mu.Lock()
		s.settings = append(s.settings, q)
		s.mu.Unlock()
	}
	return false, "", err
}
