// Package session is a Jupyter kernel without a language: it answers the requests
// of clients (package wire), counts and queues executions, keeps the history, and
// asks an Interpreter for the rest.
package session

import (
	"context"
	"time"
)

// A Bundle is something shown: contents by media type, and what goes with them.
type Bundle struct {
	Data      map[string]any
	Metadata  map[string]any
	Transient map[string]any
}

// A Failure is why an execution failed; Traceback is shown, line by line.
type Failure struct {
	Name, Value string
	Traceback   []string
}

// A Request asks for an execution.
type Request struct {
	Code       string
	Number     int  // of the cell, as in its brackets
	AllowStdin bool // the client answers Output.Input
}

// An Output takes what an execution shows. Its methods can be called from several
// goroutines, and still after the execution.
type Output interface {
	Stream(name, text string) // name: stdout or stderr
	Display(Bundle)
	Update(Bundle) // Transient has the display_id
	Result(Bundle) // the value; once
	Clear(wait bool)
	Page(data map[string]string)
	Input(prompt string, password bool) (string, error)
}

// A Completion says what can stand between two offsets in characters.
type Completion struct {
	Matches    []string
	Types      []string // of the matches: function, variable, ...; may be nil
	Start, End int
}

// An Interpreter knows the language. Execute is called by one goroutine, the
// others by any, also during an execution. When its context ends, which it may have
// done already, the execution is interrupted.
type Interpreter interface {
	Execute(context.Context, Request, Output) *Failure
	IsComplete(code string) (status, indent string)
	// Complete and Inspect take the cursor as an offset in characters; they answer
	// within the given time, with less if need be.
	Complete(code string, cursor int, within time.Duration) Completion
	Inspect(code string, cursor, detail int, within time.Duration) map[string]any
	Close()
}

// Info describes the kernel to clients.
type Info struct {
	Implementation, Version, Banner string
	Language                        map[string]any // name, version, mimetype, ...
	Links                           []Link
}

// A Link appears in the help menu.
type Link struct {
	Text string `json:"text"`
	URL  string `json:"url"`
}
