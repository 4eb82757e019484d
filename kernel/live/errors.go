package live

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ensemble-metamers/metamers/kernel/state"
)

// ErrInterrupted says that the cell was interrupted and the session goes on.
var ErrInterrupted = errors.New("the cell was interrupted")

// A CompileError says why a cell was not run. It has Problems, or what the compiler
// Said of the translation.
type CompileError struct {
	Problems []state.Problem
	Said     string
	Source   string // the translation
}

func (e *CompileError) Error() string {
	if len(e.Problems) == 0 {
		return state.Strip(e.Said)
	}
	p := e.Problems[0]
	s := p.Message
	if p.Line > 0 {
		s = fmt.Sprintf("line %d: %s", p.Line, s)
	}
	if p.Hint != "" {
		s += " (" + p.Hint + ")"
	}
	return s
}

// A PanicError is a panic of the cell. Text is what Go prints of one: its value and the
// goroutine that panicked.
type PanicError struct{ Text string }

func (e *PanicError) Error() string {
	line, _, _ := strings.Cut(e.Text, "\n")
	return line
}

// A CellError is an error that the cell ended with: that of its last expression, or of
// mk.Must.
type CellError struct{ Text string }

func (e *CellError) Error() string { return e.Text }

// An EndError says that the process of the session has ended, and with it the variables.
type EndError struct {
	Why  string
	Text string // the report of a panic of another goroutine or a fatal error; or empty
	Lost []string
}

func (e *EndError) Error() string {
	s := "the session ended: " + e.Why
	if len(e.Lost) > 0 {
		s += "; lost: " + strings.Join(e.Lost, ", ")
	}
	return s
}
