// Package gopls is a client of the Go language server, as far as completion and
// documentation in notebook cells need it: one file, whose whole text goes with
// every question.
package gopls

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"
)

// FileName is the file in the folder whose text is asked about.
const FileName = "cell.go"

// A Server is a running gopls. Its methods can be called from several goroutines.
type Server struct {
	dir string
	w   io.WriteCloser

	mu      sync.Mutex
	next    int
	version int
	waiting map[int]chan reply
	err     error // it has ended

	ready chan struct{} // closed when initialized
}

type reply struct {
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// options make gopls quick: nothing but completion and hover is asked.
var options = map[string]any{
	"completeUnimported": true, "completionBudget": "600ms", "matcher": "CaseInsensitive", "usePlaceholders": false,
	"staticcheck": false, "semanticTokens": false, "linksInHover": false, "hoverKind": "FullDocumentation",
	"diagnosticsTrigger": "Save", "vulncheck": "Off",
}

// Start makes cmd, a gopls that serves on its standard streams, the server of the
// module in dir; start starts it. Start returns at once; questions wait until gopls is
// initialized.
func Start(cmd *exec.Cmd, dir string, start func(*exec.Cmd) error) (*Server, error) {
	w, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	r, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Dir = dir
	s := &Server{dir: dir, w: w, waiting: map[int]chan reply{}, ready: make(chan struct{})}
	started := make(chan error)
	go func() {
		// A program that asked to end with its parent ends with the thread that started it.
		runtime.LockOSThread()
		err := start(cmd)
		started <- err
		if err != nil {
			return
		}
		err = s.read(bufio.NewReader(r))
		cmd.Wait()
		s.mu.Lock()
		s.err = fmt.Errorf("gopls has ended: %w", err)
		for id, c := range s.waiting {
			close(c)
			delete(s.waiting, id)
		}
		s.mu.Unlock()
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting gopls: %w", err)
	}
	go s.initialize()
	return s, nil
}

func uri(path string) string { return "file://" + path }

func (s *Server) initialize() {
	params := map[string]any{
		"processId": os.Getpid(), "rootUri": uri(s.dir), "initializationOptions": options,
		"workspaceFolders": []any{map[string]string{"uri": uri(s.dir), "name": "cells"}},
		"capabilities": map[string]any{
			"textDocument": map[string]any{
				"completion": map[string]any{"completionItem": map[string]any{"snippetSupport": false}},
				"hover":      map[string]any{"contentFormat": []string{"markdown"}},
			},
			"workspace": map[string]any{"configuration": true, "didChangeWatchedFiles": map[string]any{"dynamicRegistration": true}},
		},
	}
	if s.call(context.Background(), "initialize", func() (any, error) { return params, nil }, nil) != nil {
		return
	}
	s.notify("initialized", map[string]any{})
	close(s.ready)
}

// send writes one message.
func (s *Server) send(m map[string]any) error {
	m["jsonrpc"] = "2.0"
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_, err = s.w.Write(append(fmt.Appendf(nil, "Content-Length: %d\r\n\r\n", len(data)), data...))
	return err
}

// Ended says why gopls has ended, nil while it runs.
func (s *Server) Ended() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *Server) notify(method string, params any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.send(map[string]any{"method": method, "params": params})
}

// call asks and waits for the answer, which goes into result. The lock is held while params
// are made and sent, so that what params sends comes directly before the question.
func (s *Server) call(ctx context.Context, method string, params func() (any, error), result any) error {
	id, c, err := s.ask(method, params)
	if err != nil {
		return err
	}
	select {
	case r, ok := <-c:
		switch {
		case !ok:
			return errors.New("gopls has ended")
		case r.Error != nil:
			return errors.New(r.Error.Message)
		case result == nil:
			return nil
		}
		return json.Unmarshal(r.Result, result)
	case <-ctx.Done():
		s.mu.Lock()
		delete(s.waiting, id)
		s.send(map[string]any{"method": "$/cancelRequest", "params": map[string]int{"id": id}})
		s.mu.Unlock()
		return ctx.Err()
	}
}

// ask sends a question; its answer comes through the channel.
func (s *Server) ask(method string, params func() (any, error)) (id int, answer chan reply, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, nil, s.err
	}
	p, err := params()
	if err != nil {
		return 0, nil, err
	}
	s.next++
	answer = make(chan reply, 1)
	s.waiting[s.next] = answer
	return s.next, answer, s.send(map[string]any{"id": s.next, "method": method, "params": p})
}

const maxMessage = 64 << 20

// read takes messages until gopls ends.
func (s *Server) read(r *bufio.Reader) error {
	for {
		head, err := textproto.NewReader(r).ReadMIMEHeader()
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(head.Get("Content-Length"))
		if err != nil || n < 0 || n > maxMessage {
			return fmt.Errorf("message with length %q", head.Get("Content-Length"))
		}
		data := make([]byte, n)
		if _, err := io.ReadFull(r, data); err != nil {
			return err
		}
		var m struct {
			ID     json.RawMessage `json:"id"`
			Method string          `json:"method"`
			Params struct {
				Items []any `json:"items"`
			} `json:"params"`
			reply
		}
		if err := json.Unmarshal(data, &m); err != nil {
			continue
		}
		s.mu.Lock()
		if m.Method != "" && len(m.ID) > 0 { // a question of its own
			var result any
			if m.Method == "workspace/configuration" {
				all := make([]any, len(m.Params.Items))
				for i := range all {
					all[i] = options
				}
				result = all
			}
			s.send(map[string]any{"id": m.ID, "result": result})
		} else if id, err := strconv.Atoi(string(m.ID)); err == nil && m.Method == "" {
			if c := s.waiting[id]; c != nil {
				delete(s.waiting, id)
				c <- m.reply
			}
		}
		s.mu.Unlock()
	}
}

// about asks about the offset of text: it makes text the content of the file and asks at once,
// before another question brings another text.
func (s *Server) about(ctx context.Context, method, text string, offset int, result any) error {
	select {
	case <-s.ready:
	case <-ctx.Done():
		return ctx.Err()
	}
	file := uri(filepath.Join(s.dir, FileName))
	line, column := position(text, offset)
	return s.call(ctx, method, func() (any, error) {
		at := map[string]any{"textDocument": map[string]string{"uri": file}, "position": map[string]int{"line": line, "character": column}}
		s.version++
		if s.version == 1 {
			return at, s.send(map[string]any{"method": "textDocument/didOpen", "params": map[string]any{
				"textDocument": map[string]any{"uri": file, "languageId": "go", "version": 1, "text": text}}})
		}
		return at, s.send(map[string]any{"method": "textDocument/didChange", "params": map[string]any{
			"textDocument":   map[string]any{"uri": file, "version": s.version},
			"contentChanges": []any{map[string]string{"text": text}}}})
	}, result)
}

// position returns line and column, from 0, the column in UTF-16 units.
func position(text string, offset int) (line, column int) {
	before := text[:offset]
	start := strings.LastIndexByte(before, '\n') + 1
	return strings.Count(before, "\n"), len(utf16.Encode([]rune(before[start:])))
}

// An Item is a completion: Text replaces the Length characters before the cursor.
type Item struct {
	Text, Kind, Detail string
	Length             int
}

var kinds = map[int]string{2: "method", 3: "function", 5: "field", 6: "variable", 7: "class", 8: "interface", 9: "module", 14: "keyword", 21: "constant", 22: "class", 23: "event", 25: "class"}

// Complete returns what can stand at the offset, in bytes, of text.
func (s *Server) Complete(ctx context.Context, text string, offset int) ([]Item, error) {
	type place struct {
		Line      int `json:"line"`
		Character int `json:"character"`
	}
	var list struct {
		Items []struct {
			Label    string `json:"label"`
			Kind     int    `json:"kind"`
			Detail   string `json:"detail"`
			TextEdit *struct {
				NewText string `json:"newText"`
				Range   struct {
					Start place `json:"start"`
					End   place `json:"end"`
				} `json:"range"`
			} `json:"textEdit"`
		} `json:"items"`
	}
	if err := s.about(ctx, "textDocument/completion", text, offset, &list); err != nil {
		return nil, err
	}
	line, column := position(text, offset)
	var out []Item
	for _, i := range list.Items {
		e := i.TextEdit
		if e == nil || e.Range.Start.Line != line || e.Range.End.Line != line || e.Range.End.Character != column {
			continue
		}
		// What is replaced is an identifier: its units are characters, but for rare letters.
		out = append(out, Item{Text: e.NewText, Kind: kinds[i.Kind], Detail: i.Detail, Length: column - e.Range.Start.Character})
	}
	return out, nil
}

// Hover returns the documentation, in Markdown, of what is at the offset, "" where
// there is none.
func (s *Server) Hover(ctx context.Context, text string, offset int) (string, error) {
	var h *struct {
		Contents struct {
			Value string `json:"value"`
		} `json:"contents"`
	}
	if err := s.about(ctx, "textDocument/hover", text, offset, &h); err != nil || h == nil {
		return "", err
	}
	return h.Contents.Value, nil
}

// ModuleChanged tells that go.mod and go.sum have changed.
func (s *Server) ModuleChanged() {
	select {
	case <-s.ready:
	default:
		return
	}
	var changes []any
	for _, name := range []string{"go.mod", "go.sum"} {
		changes = append(changes, map[string]any{"uri": uri(filepath.Join(s.dir, name)), "type": 2})
	}
	s.notify("workspace/didChangeWatchedFiles", map[string]any{"changes": changes})
}
