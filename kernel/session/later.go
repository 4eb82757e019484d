package session

import (
	"context"
	"time"
)

// later is an interpreter that is still being made.
type later struct {
	note string
	done chan struct{} // closed when in or err is there
	in   Interpreter
	err  error
}

// Later returns the interpreter that open makes, before open has returned: clients get
// answers meanwhile. An execution shows note and waits.
func Later(open func() (Interpreter, error), note string) Interpreter {
	l := &later{note: note, done: make(chan struct{})}
	go func() {
		defer close(l.done)
		l.in, l.err = open()
	}()
	return l
}

// ready reports whether the interpreter has been made.
func (l *later) ready() bool {
	select {
	case <-l.done:
		return l.err == nil
	default:
		return false
	}
}

func (l *later) Execute(ctx context.Context, r Request, out Output) *Failure {
	select {
	case <-l.done:
	default:
		out.Stream("stderr", l.note+"\n")
	}
	select {
	case <-l.done:
	case <-ctx.Done():
		return &Failure{Name: "Interrupted", Value: "the cell was interrupted"}
	}
	if l.err != nil {
		return &Failure{Name: "KernelError", Value: l.err.Error(), Traceback: []string{l.err.Error()}}
	}
	return l.in.Execute(ctx, r, out)
}

func (l *later) IsComplete(code string) (status, indent string) {
	if !l.ready() {
		return "unknown", ""
	}
	return l.in.IsComplete(code)
}

func (l *later) Complete(code string, cursor int, within time.Duration) Completion {
	if !l.ready() {
		return Completion{Start: cursor, End: cursor}
	}
	return l.in.Complete(code, cursor, within)
}

func (l *later) Inspect(code string, cursor, detail int, within time.Duration) map[string]any {
	if !l.ready() {
		return nil
	}
	return l.in.Inspect(code, cursor, detail, within)
}

// Close closes the interpreter if it has been made; the process ends behind it.
func (l *later) Close() {
	if l.ready() {
		l.in.Close()
	}
}
