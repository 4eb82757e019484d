package session

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// echo is an interpreter that shows what it is asked.
type echo struct{ closed bool }

func (e *echo) Execute(_ context.Context, r Request, out Output) *Failure {
	out.Stream("stdout", r.Code)
	return nil
}
func (e *echo) IsComplete(string) (string, string) { return "complete", "" }
func (e *echo) Complete(string, int, time.Duration) Completion {
	return Completion{Matches: []string{"x"}}
}
func (e *echo) Inspect(string, int, int, time.Duration) map[string]any { return map[string]any{"a": 1} }
func (e *echo) Close()                                                 { e.closed = true }

// shown keeps what an execution writes and tells of the first text.
type shown struct {
	Output
	text  strings.Builder
	first chan struct{}
}

func (s *shown) Stream(_, text string) {
	if s.text.Len() == 0 {
		close(s.first)
	}
	s.text.WriteString(text)
}

func TestLater(t *testing.T) {
	e, open := &echo{}, make(chan struct{})
	in := Later(func() (Interpreter, error) { <-open; return e, nil }, "please wait")
	if status, _ := in.IsComplete("x"); status != "unknown" {
		t.Errorf("before: %q", status)
	}
	if c := in.Complete("x", 1, time.Second); c.Matches != nil || in.Inspect("x", 0, 0, time.Second) != nil {
		t.Errorf("before: %v", c)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if f := in.Execute(stopped, Request{Code: "no"}, &shown{first: make(chan struct{})}); f == nil || f.Name != "Interrupted" {
		t.Errorf("an interrupted wait: %v", f)
	}
	out := &shown{first: make(chan struct{})}
	ended := make(chan *Failure)
	go func() { ended <- in.Execute(t.Context(), Request{Code: "yes"}, out) }()
	<-out.first // the note
	close(open)
	if f := <-ended; f != nil || out.text.String() != "please wait\nyes" {
		t.Errorf("%v, %q", f, out.text.String())
	}
	if status, _ := in.IsComplete("x"); status != "complete" || len(in.Complete("x", 1, time.Second).Matches) != 1 || len(in.Inspect("x", 0, 0, time.Second)) != 1 {
		t.Errorf("behind: %q", status)
	}
	if in.Close(); !e.closed {
		t.Error("it was not closed")
	}
}

func TestLaterFails(t *testing.T) {
	in := Later(func() (Interpreter, error) { return nil, errors.New("no room") }, "please wait")
	out := &shown{first: make(chan struct{})}
	if f := in.Execute(t.Context(), Request{}, out); f == nil || f.Value != "no room" {
		t.Errorf("%v", f)
	}
	in.Close()
}
