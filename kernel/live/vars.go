package live

import (
	"fmt"
	"html"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/ensemble-metamers/metamers/kernel/live/protocol"
	"github.com/ensemble-metamers/metamers/kernel/state"
)

// Strip takes out of a text the marks of translated names.
func Strip(s string) string { return state.Strip(s) }

const answerTime = 5 * time.Second

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

// Command carries out a line that is GoNB's where it concerns the session too: %env NAME
// VALUE and %cd FOLDER.
func (s *Session) Command(line string) error {
	words := strings.Fields(strings.TrimPrefix(strings.TrimPrefix(line, "//gonb:"), "%"))
	if len(words) < 2 || !strings.HasPrefix(strings.TrimPrefix(line, "//gonb:"), "%") {
		return nil
	}
	q := protocol.Request{Kind: protocol.KindSet}
	switch words[0] {
	case "env":
		name, value, ok := strings.Cut(strings.Join(words[1:], " "), "=")
		if !ok {
			name, value, _ = strings.Cut(strings.Join(words[1:], " "), " ")
		}
		q.Env = map[string]string{name: value}
	case "cd":
		dir, err := filepath.Abs(words[1])
		if err != nil {
			return err
		}
		q.Dir = dir
	default:
		return nil
	}
	s.running.Lock()
	defer s.running.Unlock()
	s.mu.Lock()
	s.settings = slices.Concat(s.settings, []protocol.Request{q})
	s.mu.Unlock()
	p, err := s.ready()
	if err != nil {
		return err
	}
	r, err := p.ask(q, answerTime)
	if err == nil && r.Error != "" {
		err = fmt.Errorf("%s", r.Error)
	}
	return err
}
