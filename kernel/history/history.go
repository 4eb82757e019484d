// Package history keeps what was entered in notebooks, over sessions, in a file of
// JSON lines, and answers the three kinds of history_request.
package history

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
)

const (
	maxEntries = 10000   // kept when the file is opened
	maxLine    = 1 << 20 // bytes of one entry
)

// An Entry is one input with its output, if it had a value.
type Entry struct {
	Session int     `json:"s"`
	Line    int     `json:"n"`
	Input   string  `json:"i"`
	Output  *string `json:"o,omitempty"`
}

// A History is safe for use by several goroutines, and its file by several kernels.
type History struct {
	path    string
	session int

	mu      sync.Mutex
	entries []Entry
}

// Open reads the history in path and begins a session. With an empty path nothing
// is read or written. A line that is no entry is passed over.
func Open(path string) (*History, error) {
	h := &History{path: path, session: 1}
	if path == "" {
		return h, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	err := h.locked(func(f *os.File) error {
		s := bufio.NewScanner(f)
		s.Buffer(nil, maxLine+1024)
		for s.Scan() {
			var e Entry
			if json.Unmarshal(s.Bytes(), &e) != nil || e.Session < 1 {
				continue
			}
			if n := len(h.entries); e.Line > 0 && n > 0 && h.entries[n-1].Session == e.Session && h.entries[n-1].Line == e.Line {
				h.entries[n-1] = e // the output came later
			} else if e.Line > 0 {
				h.entries = append(h.entries, e)
			}
			h.session = max(h.session, e.Session+1)
		}
		if n := len(h.entries); n > maxEntries {
			h.entries = append([]Entry(nil), h.entries[n-maxEntries:]...)
			var b bytes.Buffer
			for _, e := range h.entries {
				line, _ := json.Marshal(e)
				b.Write(append(line, '\n'))
			}
			if err := f.Truncate(0); err != nil {
				return err
			}
			if _, err := f.Write(b.Bytes()); err != nil {
				return err
			}
		}
		return appendTo(f, Entry{Session: h.session}) // the number is taken
	})
	if err != nil {
		return nil, fmt.Errorf("history %s: %w", path, err)
	}
	return h, nil
}

func (h *History) locked(do func(*os.File) error) error {
	f, err := os.OpenFile(h.path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	return do(f)
}

func appendTo(f *os.File, e Entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if len(line) > maxLine {
		return nil
	}
	_, err = f.Write(append(line, '\n'))
	return err
}

// Add keeps an input of this session. Errors of the file are returned; the entry
// is known to this session all the same.
func (h *History) Add(line int, input string) error {
	return h.put(Entry{Session: h.session, Line: line, Input: input})
}

// AddOutput keeps the value of the line that was added last under this number.
func (h *History) AddOutput(line int, output string) error {
	h.mu.Lock()
	for i := len(h.entries) - 1; i >= 0; i-- {
		if e := h.entries[i]; e.Session == h.session && e.Line == line {
			e.Output = &output
			h.entries[i] = e
			h.mu.Unlock()
			return h.write(e)
		}
	}
	h.mu.Unlock()
	return nil
}

func (h *History) put(e Entry) error {
	h.mu.Lock()
	h.entries = append(h.entries, e)
	if len(h.entries) > 2*maxEntries {
		h.entries = append([]Entry(nil), h.entries[maxEntries:]...)
	}
	h.mu.Unlock()
	return h.write(e)
}

func (h *History) write(e Entry) error {
	if h.path == "" {
		return nil
	}
	return h.locked(func(f *os.File) error { return appendTo(f, e) })
}

// Tail returns the last n entries.
func (h *History) Tail(n int) []Entry {
	h.mu.Lock()
	defer h.mu.Unlock()
	n = max(0, min(n, len(h.entries)))
	return append([]Entry(nil), h.entries[len(h.entries)-n:]...)
}

// Range returns the entries of a session with start <= line < stop. Session 0 is
// this one, -1 the one before; stop 0 means to the end.
func (h *History) Range(session, start, stop int) (out []Entry) {
	if session <= 0 {
		session += h.session
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.entries {
		if e.Session == session && e.Line >= start && (stop <= 0 || e.Line < stop) {
			out = append(out, e)
		}
	}
	return out
}

// Search returns the last n entries (all for n <= 0) whose input matches the
// pattern, in which * stands for any text and ? for any character; with unique
// only the last of those with the same input.
func (h *History) Search(pattern string, n int, unique bool) (out []Entry) {
	var b strings.Builder
	b.WriteString("(?s)^")
	for _, r := range pattern {
		switch r {
		case '*':
			b.WriteString(".*")
		case '?':
			b.WriteString(".")
		default:
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	re, err := regexp.Compile(b.String() + "$")
	if err != nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	seen := map[string]bool{}
	for i := len(h.entries) - 1; i >= 0 && (n <= 0 || len(out) < n); i-- {
		e := h.entries[i]
		if !re.MatchString(e.Input) || unique && seen[e.Input] {
			continue
		}
		seen[e.Input] = true
		out = append(out, e)
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}
