package gonb

import (
	"encoding/json"
	"go/scanner"
	"go/token"
	"sort"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/ensemble-metamers/metamers/kernel/cell"
)

var commands = []string{"%%", "%%bash", "%%sh", "%%script", "%%writefile", "%args", "%capture", "%cd", "%env", "%exec", "%goflags", "%help", "%list", "%ls", "%main",
	"%remove", "%require", "%reset", "%rm", "%test", "%track", "%untrack", "%version", "%with_inputs", "%with_password"}

// Complete offers what gopls, through GoNB, knows at the cursor; when gopls is not
// warm, a cell runs, or the time is over, the words of the cell and Go's keywords.
func (in *Interpreter) Complete(code string, cursor int, within time.Duration) (matches []string, start, end int) {
	runes := []rune(code)
	cursor = max(0, min(cursor, len(runes)))
	lineStart := cursor
	for lineStart > 0 && runes[lineStart-1] != '\n' {
		lineStart--
	}
	if line := string(runes[lineStart:cursor]); strings.HasPrefix(line, "%") && !strings.Contains(line, " ") {
		for _, c := range commands {
			if strings.HasPrefix(c, line) {
				matches = append(matches, c)
			}
		}
		return matches, lineStart, cursor
	}
	word := cursor
	for word > 0 && isWord(runes[word-1]) {
		word--
	}
	if word > 0 && strings.HasPrefix(string(runes[lineStart:cursor]), "!") {
		return nil, cursor, cursor
	}
	var reply struct {
		Status  string   `json:"status"`
		Matches []string `json:"matches"`
		Start   int      `json:"cursor_start"`
		End     int      `json:"cursor_end"`
	}
	text, shift := cell.ForEditor(code, cursor)
	if in.askBackend("complete_request", map[string]any{"code": text, "cursor_pos": utf16Offset(text, cursor+shift)}, within, &reply) && len(reply.Matches) > 0 {
		return unique(reply.Matches), cursor - (reply.End - reply.Start), cursor
	}
	if word > 0 && runes[word-1] == '.' {
		return nil, cursor, cursor
	}
	return words(code, string(runes[word:cursor])), word, cursor
}

// Inspect returns the documentation of what is at the cursor.
func (in *Interpreter) Inspect(code string, cursor, detail int, within time.Duration) map[string]any {
	runes := []rune(code)
	cursor = max(0, min(cursor, len(runes)))
	text, shift := cell.ForEditor(code, cursor)
	var reply struct {
		Found bool           `json:"found"`
		Data  map[string]any `json:"data"`
	}
	at := cursor + shift
	if r := []rune(text); at > 0 && (at == len(r) || at < len(r) && !isWord(r[at])) && isWord(r[at-1]) {
		at-- // behind a word: the word
	}
	if !in.askBackend("inspect_request", map[string]any{"code": text, "cursor_pos": utf16Offset(text, at), "detail_level": detail}, within, &reply) || !reply.Found {
		return nil
	}
	markdown, ok := reply.Data["text/markdown"].(string)
	if !ok || strings.TrimSpace(markdown) == "" {
		return nil
	}
	return map[string]any{"text/markdown": markdown, "text/plain": plain(markdown)}
}

// plain takes the fences out of gopls' Markdown.
func plain(markdown string) string {
	var out []string
	for _, l := range strings.Split(markdown, "\n") {
		if strings.HasPrefix(l, "```") || l == "---" {
			continue
		}
		out = append(out, l)
	}
	return strings.TrimSpace(strings.Join(out, "\n"))
}

// askBackend asks GoNB if it has time, and reports whether it answered in time.
func (in *Interpreter) askBackend(kind string, content any, within time.Duration, answer any) bool {
	deadline := time.After(within)
	select {
	case <-in.started:
	case <-deadline:
		return false
	}
	in.mu.Lock()
	b, busy := in.back, in.run != nil
	in.mu.Unlock()
	if b == nil || busy || !in.asks.TryLock() {
		return false
	}
	id, reply, err := b.request(kind, content)
	if err != nil {
		in.asks.Unlock()
		return false
	}
	result := make(chan bool, 1)
	go func() {
		defer in.asks.Unlock() // GoNB still works on it: no second question
		defer b.forget(id)
		select {
		case m := <-reply:
			result <- json.Unmarshal(m.Content, answer) == nil
		case <-b.died:
			result <- false
		case <-time.After(time.Minute):
			result <- false
		}
	}()
	select {
	case ok := <-result:
		return ok
	case <-deadline:
		return false
	}
}

func isWord(r rune) bool {
	return r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= 0x80
}

// utf16Offset turns an offset in characters into what GoNB counts.
func utf16Offset(text string, chars int) int {
	r := []rune(text)
	return len(utf16.Encode(r[:min(chars, len(r))]))
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

func unique(list []string) (out []string) {
	seen := map[string]bool{}
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}
