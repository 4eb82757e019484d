package serve

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/ensemble-metamers/metamers/metamerkit/people"
)

// participant is one link and the rows that came by it.
type participant struct {
	number int
	token  string
	path   string // of the data

	mu    sync.Mutex
	key   string // of the browser that began; "" before
	lines []people.Line
	f     *os.File
	size  int64
}

func (p *participant) done() bool {
	return len(p.lines) > 0 && p.lines[len(p.lines)-1].Field("phase") == "end"
}

func (p *participant) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.f != nil {
		p.f.Close()
	}
}

// refuses says why a browser cannot go on with the link; the code is 0 if it can.
func (p *participant) refuses(key string) (code int, why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.done():
		return http.StatusGone, "This link was used, and all answers are stored. Thank you."
	case p.key != "" && !same(p.key, key):
		return http.StatusConflict, "This link is in use in another browser. Please continue there."
	}
	return 0, ""
}

// add stores a row. A row that is stored already is taken again: the answer to it was lost.
func (p *participant) add(s *Server, text, key string) (code int, why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if key == "" || p.key != "" && !same(p.key, key) {
		return http.StatusConflict, "This link is in use in another browser. Please continue there."
	}
	for _, l := range p.lines {
		if l.Text == text {
			return 0, ""
		}
	}
	if p.done() {
		return http.StatusGone, "All answers are stored already."
	}
	line, err := s.next(p, text)
	if err != nil {
		return http.StatusBadRequest, fmt.Sprintf("Row %d was refused: %v.", len(p.lines)+1, err)
	}
	if p.key == "" {
		if err := s.begin(p, key); err != nil {
			return http.StatusInternalServerError, "The session could not be stored."
		}
		p.key = key
	}
	if err := p.append(text); err != nil {
		return http.StatusInternalServerError, "The row could not be stored."
	}
	p.lines = append(p.lines, line)
	return 0, ""
}

// next checks that a row is the participant's next one.
func (s *Server) next(p *participant, text string) (people.Line, error) {
	before := ""
	if n := len(p.lines); n > 0 {
		before = p.lines[n-1].Field("check")
	}
	line, err := people.ParseLine(text, before)
	if err != nil {
		return line, err
	}
	for column, want := range map[string]string{"design": s.sha256, "participant": strconv.Itoa(p.number), "row": strconv.Itoa(len(p.lines) + 1)} {
		if got := line.Field(column); got != want {
			return line, fmt.Errorf("%s is %q, expected %q", column, got, want)
		}
	}
	return line, nil
}

// append writes a row and flushes it to the disk. What was written of a row that failed
// is cut off.
func (p *participant) append(text string) (err error) {
	out := text + "\n"
	if p.f == nil {
		if p.f, err = os.OpenFile(p.path, os.O_CREATE|os.O_RDWR, 0o644); err != nil {
			return err
		}
	}
	if p.size == 0 {
		out = people.Header() + "\n" + out
	}
	_, err = p.f.WriteAt([]byte(out), p.size)
	if err == nil {
		err = p.f.Sync()
	}
	if err == nil && p.size == 0 {
		err = syncDir(filepath.Dir(p.path))
	}
	if err != nil {
		return errors.Join(err, p.f.Truncate(p.size))
	}
	p.size += int64(len(out))
	return nil
}

// load reads the rows that are stored. A last line without its end was being written when
// the server was killed, and its page was not answered: it is cut off.
func (p *participant) load(s *Server) error {
	data, err := os.ReadFile(p.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("experiment: %w", err)
	}
	whole := data[:bytes.LastIndexByte(data, '\n')+1]
	if len(whole) < len(data) {
		s.Notes = append(s.Notes, fmt.Sprintf("%s: the last line, which was not stored whole and not answered, is cut off", p.path))
		if err := os.Truncate(p.path, int64(len(whole))); err != nil {
			return fmt.Errorf("experiment: %w", err)
		}
	}
	lines := bytes.Split(bytes.TrimSuffix(whole, []byte("\n")), []byte("\n"))
	if len(whole) == 0 {
		return nil
	}
	if string(lines[0]) != people.Header() {
		return fmt.Errorf("experiment: %s: line 1: the header is %.100q, expected %.100q…", p.path, lines[0], people.Header())
	}
	for i, text := range lines[1:] {
		line, err := s.next(p, string(text))
		if err != nil {
			return fmt.Errorf("experiment: %s: line %d: %w", p.path, i+2, err)
		}
		p.lines = append(p.lines, line)
	}
	p.size = int64(len(whole))
	return nil
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
