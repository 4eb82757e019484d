package gonb

import (
	"context"
	"fmt"
	"go/scanner"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/ensemble-metamers/metamers/kernel/gopls"
	"github.com/ensemble-metamers/metamers/kernel/session"
	"github.com/ensemble-metamers/metamers/kernel/shim"
)

var commands = []string{"%%", "%%bash", "%%sh", "%%script", "%%writefile", "%args", "%capture", "%cd", "%env", "%exec", "%goflags", "%help", "%list", "%ls", "%main",
	"%remove", "%require", "%reset", "%restart", "%rm", "%state", "%test", "%time", "%timeit", "%track", "%untrack", "%vars", "%version", "%with_inputs", "%with_password"}

// Complete offers what gopls knows at the cursor; when gopls is not warm or the time
// is over, the words of the cell and Go's keywords.
func (in *Interpreter) Complete(code string, cursor int, within time.Duration) session.Completion {
	runes := []rune(code)
	cursor = max(0, min(cursor, len(runes)))
	nothing := session.Completion{Start: cursor, End: cursor}
	lineStart := cursor
	for lineStart > 0 && runes[lineStart-1] != '\n' {
		lineStart--
	}
	line := string(runes[lineStart:cursor])
	if strings.HasPrefix(line, "%") && !strings.Contains(line, " ") {
		c := session.Completion{Start: lineStart, End: cursor}
		for _, name := range commands {
			if strings.HasPrefix(name, line) {
				c.Matches = append(c.Matches, name)
			}
		}
		return c
	}
	if strings.HasPrefix(line, "!") || strings.HasPrefix(line, "%") {
		return nothing
	}
	word := cursor
	for word > 0 && isWord(runes[word-1]) {
		word--
	}
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	if s, text, at := in.question(code, len(string(runes[:cursor]))); s != nil {
		items, err := s.Complete(ctx, text, at)
		if err == nil && len(items) > 0 {
			c := session.Completion{Start: cursor - items[0].Length, End: cursor}
			seen := map[string]bool{}
			for _, i := range items {
				if i.Length == items[0].Length && !seen[i.Text] {
					seen[i.Text] = true
					c.Matches, c.Types = append(c.Matches, i.Text), append(c.Types, i.Kind)
				}
			}
			return c
		}
	}
	if word > 0 && runes[word-1] == '.' {
		return nothing
	}
	return session.Completion{Matches: words(code, string(runes[word:cursor])), Start: word, End: cursor}
}

// Inspect returns the documentation of what is at the cursor, or of the function in
// whose brackets it is.
func (in *Interpreter) Inspect(code string, cursor, detail int, within time.Duration) map[string]any {
	runes := []rune(code)
	at := wordAt(runes, cursor)
	if at < 0 {
		return nil
	}
	s, text, offset := in.question(code, len(string(runes[:at])))
	if s == nil {
		return nil
	}
	markdown := in.hover(s, hovered{code, at}, text, offset, within)
	if strings.TrimSpace(markdown) == "" {
		return nil
	}
	return map[string]any{"text/markdown": markdown, "text/plain": plain(markdown)}
}

// hovered is a place of a cell that documentation was asked for.
type hovered struct {
	code string
	at   int // the character
}

// Of a question about a place.
const (
	keptHovers = 32
	hoverTime  = 15 * time.Second // for gopls to answer after all
)

// hover asks gopls. When the time is over the answer is that which the same question had
// last, if it had one; the new one is remembered when it comes, so that who asks again
// gets it at once.
func (in *Interpreter) hover(s *gopls.Server, q hovered, text string, offset int, within time.Duration) string {
	answer := make(chan string, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), max(within, hoverTime))
		defer cancel()
		markdown, err := s.Hover(ctx, text, offset)
		if err == nil {
			in.mu.Lock()
			if _, known := in.hovers[q]; !known && len(in.hovers) >= keptHovers {
				clear(in.hovers)
			}
			in.hovers[q] = markdown
			in.mu.Unlock()
		}
		answer <- markdown
	}()
	select {
	case markdown := <-answer:
		return markdown
	case <-time.After(within):
		in.mu.Lock()
		defer in.mu.Unlock()
		return in.hovers[q]
	}
}

// wordAt returns where the word is that a cursor is about: the one it touches, else
// that before the bracket which is open, or was closed, at the cursor; -1 for none.
func wordAt(runes []rune, cursor int) int {
	at := max(0, min(cursor, len(runes)))
	if at < len(runes) && isWord(runes[at]) {
		return at
	}
	if at > 0 && isWord(runes[at-1]) {
		return at - 1
	}
	closed := at > 0 && runes[at-1] == ')'
	for depth := 0; at > 0; at-- {
		switch runes[at-1] {
		case ')':
			depth++
		case '(':
			if depth--; depth < 0 || depth == 0 && closed {
				if at >= 2 && isWord(runes[at-2]) {
					return at - 2
				}
				return -1
			}
		}
	}
	return -1
}

func (in *Interpreter) goplsDir() string { return filepath.Join(in.o.Life.Dir, "gopls") }

// server returns gopls, starting it if there is none; nil if that fails. The lock is
// held.
func (in *Interpreter) server() *gopls.Server {
	if in.gopls != nil && in.gopls.Ended() == nil || in.closed {
		return in.gopls
	}
	if time.Since(in.tried) < time.Minute {
		return nil
	}
	in.tried = time.Now()
	dir := in.goplsDir()
	if os.MkdirAll(dir, 0o700) != nil || shim.ModInit(dir, in.o.Checkout) != nil || os.WriteFile(filepath.Join(dir, gopls.FileName), []byte(warmFile), 0o600) != nil {
		return nil
	}
	cmd := exec.Command(filepath.Join(in.o.Life.Dir, "bin", shim.Gopls))
	cmd.Env = in.environment()
	s, err := gopls.Start(cmd, dir, in.o.Life.Start)
	if err != nil {
		fmt.Fprintf(os.Stderr, "kernel: %v\n", err)
		return nil
	}
	in.gopls = s
	go s.Complete(context.Background(), warmFile, strings.LastIndex(warmFile, "Prin")+4) // loads what cells are likely to ask about
	return s
}

const warmFile = "package main\n\nimport \"fmt\"\n\nfunc main() {\n\tfmt.Println()\n}\n"

// question composes the file to ask about; offsets are in bytes.
func (in *Interpreter) question(code string, offset int) (*gopls.Server, string, int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	s := in.server()
	text, at := in.memory.Compose(code, offset)
	return s, text, at
}

// plain takes the fences out of gopls' Markdown.
func plain(markdown string) string {
	var out []string
	for _, l := range strings.Split(markdown, "\n") {
		if strings.HasPrefix(l, "```") || l == "---" || l == "" && (len(out) == 0 || out[len(out)-1] == "") {
			continue
		}
		out = append(out, l)
	}
	return strings.TrimSpace(strings.Join(out, "\n"))
}

func isWord(r rune) bool {
	return r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= 0x80
}

// words returns the identifiers of the cell and the keywords that begin with prefix.
func words(code, prefix string) []string {
	if prefix == "" {
		return nil
	}
	seen := map[string]bool{}
	fset := token.NewFileSet()
	var s scanner.Scanner
	s.Init(fset.AddFile("", fset.Base(), len(code)), []byte(code), nil, 0)
	for {
		_, tok, lit := s.Scan()
		if tok == token.EOF {
			break
		}
		if tok == token.IDENT {
			seen[lit] = true
		}
	}
	for t := token.BREAK; t <= token.VAR; t++ {
		seen[t.String()] = true
	}
	var out []string
	for w := range seen {
		if strings.HasPrefix(w, prefix) && w != prefix {
			out = append(out, w)
		}
	}
	sort.Strings(out)
	return out
}
