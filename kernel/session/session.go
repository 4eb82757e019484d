package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/ensemble-metamers/metamers/kernel/history"
	"github.com/ensemble-metamers/metamers/kernel/wire"
)

const (
	answerTime = 900 * time.Millisecond // for completion and inspection
	flushTime  = 10 * time.Second       // for a slow client to take output before the reply
)

// A Session serves one connection.
type Session struct {
	id      string
	info    Info
	interp  Interpreter
	history *history.History
	server  *wire.Server
	done    chan bool // value: restart asked for

	mu      sync.Mutex
	wake    *sync.Cond
	queue   []*wire.Message // execute requests
	running *wire.Message
	cancel  context.CancelFunc // interrupts the running one
	count   int
	stopped bool

	stdin     sync.Mutex // one question at a time
	answersMu sync.Mutex
	answers   chan string // of the open question
}

// Start binds the connection's sockets and serves until Wait returns.
func Start(c *wire.Connection, info Info, interp Interpreter, h *history.History) (*Session, error) {
	s := &Session{id: wire.NewID(), info: info, interp: interp, history: h, done: make(chan bool, 1)}
	s.wake = sync.NewCond(&s.mu)
	// Handlers wait until the server is known.
	ready := make(chan struct{})
	wait := func(f func(*wire.Message)) func(*wire.Message) {
		return func(m *wire.Message) { <-ready; f(m) }
	}
	server, err := wire.Listen(c, s.id, wire.Handlers{
		Shell:   wait(s.shell),
		Control: wait(s.control),
		Stdin:   wait(s.answer),
		Refused: func(channel string, err error) { fmt.Fprintf(os.Stderr, "kernel: %s: %v\n", channel, err) },
	})
	if err != nil {
		return nil, err
	}
	s.server = server
	close(ready)
	s.publish(nil, "status", map[string]string{"execution_state": "starting"})
	go s.work()
	return s, nil
}

// Wait waits for a shutdown_request or Stop.
func (s *Session) Wait() { <-s.done }

// Stop makes Wait return.
func (s *Session) Stop() {
	select {
	case s.done <- false:
	default:
	}
}

// Close sends what is left to send and closes the sockets.
func (s *Session) Close() {
	s.mu.Lock()
	s.stopped = true
	s.wake.Broadcast()
	s.mu.Unlock()
	s.server.Close(time.Second)
}

// Interrupt stops the running execution, from the moment on that clients hear of it.
func (s *Session) Interrupt() {
	s.mu.Lock()
	cancel := s.cancel
	s.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

func (s *Session) publish(parent *wire.Message, kind string, content any) {
	m, err := wire.New(s.id, kind, parent, content)
	if err != nil {
		fmt.Fprintf(os.Stderr, "kernel: %v\n", err)
		return
	}
	s.server.Publish(m, "kernel."+s.id+"."+kind)
}

func (s *Session) reply(channel string, parent *wire.Message, kind string, content any) {
	m, err := wire.New(s.id, kind, parent, content)
	if err != nil {
		fmt.Fprintf(os.Stderr, "kernel: %v\n", err)
		return
	}
	s.server.Send(channel, m)
}

func (s *Session) status(parent *wire.Message, state string) {
	s.publish(parent, "status", map[string]string{"execution_state": state})
}

// serve answers a request between the status messages busy and idle. While a cell
// runs the kernel is said to be busy again afterwards.
func (s *Session) serve(channel string, m *wire.Message, kind string, content any) {
	s.status(m, "busy")
	s.reply(channel, m, kind, content)
	s.status(m, "idle")
	s.mu.Lock()
	running := s.running
	s.mu.Unlock()
	if running != nil && channel == "shell" {
		s.status(running, "busy")
	}
}

func (s *Session) control(m *wire.Message) {
	switch m.Header.Type {
	case "interrupt_request":
		s.Interrupt()
		s.serve("control", m, "interrupt_reply", map[string]string{"status": "ok"})
	default:
		s.request("control", m)
	}
}

func (s *Session) shell(m *wire.Message) {
	switch m.Header.Type {
	case "execute_request":
		s.mu.Lock()
		s.queue = append(s.queue, m)
		s.wake.Signal()
		s.mu.Unlock()
	default:
		s.request("shell", m)
	}
}

// request answers all but executions.
func (s *Session) request(channel string, m *wire.Message) {
	var in struct {
		Code    string `json:"code"`
		Cursor  int    `json:"cursor_pos"`
		Detail  int    `json:"detail_level"`
		CommID  string `json:"comm_id"`
		Restart bool   `json:"restart"`
	}
	if err := json.Unmarshal(m.Content, &in); err != nil {
		in.Code = ""
	}
	switch m.Header.Type {
	case "kernel_info_request":
		s.serve(channel, m, "kernel_info_reply", s.kernelInfo())
	case "is_complete_request":
		status, indent := s.interp.IsComplete(in.Code)
		content := map[string]string{"status": status}
		if status == "incomplete" {
			content["indent"] = indent
		}
		s.serve(channel, m, "is_complete_reply", content)
	case "complete_request":
		go func() {
			s.serve(channel, m, "complete_reply", completeReply(s.interp.Complete(in.Code, in.Cursor, answerTime)))
		}()
	case "inspect_request":
		go func() {
			data := s.interp.Inspect(in.Code, in.Cursor, in.Detail, answerTime)
			if data == nil {
				data = map[string]any{}
			}
			s.serve(channel, m, "inspect_reply", map[string]any{"status": "ok", "found": len(data) > 0, "data": data, "metadata": map[string]any{}})
		}()
	case "history_request":
		s.serve(channel, m, "history_reply", s.historyReply(m))
	case "comm_info_request":
		s.serve(channel, m, "comm_info_reply", map[string]any{"status": "ok", "comms": map[string]any{}})
	case "comm_open": // no target is known here
		s.status(m, "busy")
		s.publish(m, "comm_close", map[string]any{"comm_id": in.CommID, "data": map[string]any{}})
		s.status(m, "idle")
	case "comm_msg", "comm_close": // of a comm that was never open
	case "shutdown_request":
		s.serve(channel, m, "shutdown_reply", map[string]any{"status": "ok", "restart": in.Restart})
		s.publish(m, "shutdown_reply", map[string]any{"status": "ok", "restart": in.Restart})
		s.server.Flush(channel, time.Second)
		s.server.Flush("iopub", time.Second)
		select {
		case s.done <- in.Restart:
		default:
		}
	default:
		fmt.Fprintf(os.Stderr, "kernel: %s: unknown message %q\n", channel, m.Header.Type)
	}
}

func completeReply(c Completion) map[string]any {
	metadata := map[string]any{}
	if len(c.Types) == len(c.Matches) && c.Types != nil {
		list := make([]any, len(c.Matches))
		for i, text := range c.Matches {
			list[i] = map[string]any{"start": c.Start, "end": c.End, "text": text, "type": c.Types[i]}
		}
		metadata["_jupyter_types_experimental"] = list
	}
	if c.Matches == nil {
		c.Matches = []string{}
	}
	return map[string]any{"status": "ok", "matches": c.Matches, "cursor_start": c.Start, "cursor_end": c.End, "metadata": metadata}
}

func (s *Session) kernelInfo() map[string]any {
	return map[string]any{
		"status": "ok", "protocol_version": wire.ProtocolVersion,
		"implementation": s.info.Implementation, "implementation_version": s.info.Version,
		"language_info": s.info.Language, "banner": s.info.Banner, "help_links": s.info.Links,
		"debugger": false, "supported_features": []string{},
	}
}

func (s *Session) historyReply(m *wire.Message) map[string]any {
	var in struct {
		Output     bool   `json:"output"`
		AccessType string `json:"hist_access_type"`
		Session    int    `json:"session"`
		Start      int    `json:"start"`
		Stop       *int   `json:"stop"`
		N          int    `json:"n"`
		Pattern    string `json:"pattern"`
		Unique     bool   `json:"unique"`
	}
	if err := json.Unmarshal(m.Content, &in); err != nil {
		return map[string]any{"status": "error", "ename": "history", "evalue": err.Error(), "traceback": []string{}, "history": []any{}}
	}
	var found []history.Entry
	switch in.AccessType {
	case "range":
		stop := 0
		if in.Stop != nil {
			stop = *in.Stop
		}
		found = s.history.Range(in.Session, in.Start, stop)
	case "search":
		found = s.history.Search(in.Pattern, in.N, in.Unique)
	default:
		found = s.history.Tail(in.N)
	}
	list := make([]any, 0, len(found))
	for _, e := range found {
		var what any = e.Input
		if in.Output {
			what = []any{e.Input, e.Output}
		}
		list = append(list, []any{e.Session, e.Line, what})
	}
	return map[string]any{"status": "ok", "history": list}
}

// ErrInterrupted is what Input returns when the execution ends without an answer.
var ErrInterrupted = errors.New("interrupted")

var errNoInput = errors.New("this front end does not ask for input")

// ask puts a question to the client of an execution, which ends with ctx.
func (s *Session) ask(ctx context.Context, parent *wire.Message, prompt string, password bool) (string, error) {
	s.stdin.Lock()
	defer s.stdin.Unlock()
	answers := make(chan string, 1)
	s.answersMu.Lock()
	s.answers = answers
	s.answersMu.Unlock()
	s.server.Flush("iopub", flushTime)
	s.reply("stdin", parent, "input_request", map[string]any{"prompt": prompt, "password": password})
	select {
	case text := <-answers:
		return text, nil
	case <-ctx.Done():
		return "", ErrInterrupted
	}
}

func (s *Session) answer(m *wire.Message) {
	if m.Header.Type != "input_reply" {
		return
	}
	var in struct {
		Value string `json:"value"`
	}
	if json.Unmarshal(m.Content, &in) != nil {
		return
	}
	s.answersMu.Lock()
	defer s.answersMu.Unlock()
	if s.answers != nil {
		s.answers <- in.Value
		s.answers = nil
	}
}
