package streams

import (
	"strings"
	"sync"
	"time"

	"github.com/ensemble-metamers/metamers/kernel/session"
)

const (
	mostHeld  = 1 << 20
	panicTime = time.Second // a panic held back longer was none
)

// panicStarts begin what Go writes on standard error before a program dies.
var panicStarts = []string{"panic: ", "fatal error: ", "runtime: goroutine stack exceeds", "unexpected fault address", "SIGSEGV: "}

// A PanicHold keeps back what looks like the report of a panic, until the program
// ends, so that it is shown once, as the error of the cell. A program that lives on
// for a second gets its text shown after all.
type PanicHold struct {
	Out    session.Output
	For    time.Duration // how long it is kept back; 0: a second
	mu     sync.Mutex
	text   strings.Builder
	on     bool
	inLine bool // what was passed last did not end a line
}

// Pass returns what is to be shown now.
func (h *PanicHold) Pass(text string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.on {
		h.text.WriteString(text)
		if h.text.Len() > mostHeld {
			h.on = false
			text = h.text.String()
			h.text.Reset()
			return text
		}
		return ""
	}
	at := 0
	for {
		if at > 0 || !h.inLine {
			for _, start := range panicStarts {
				if strings.HasPrefix(text[at:], start) {
					h.on = true
					h.text.WriteString(text[at:])
					time.AfterFunc(h.keep(), h.Release)
					h.inLine = false
					return text[:at]
				}
			}
		}
		next := strings.IndexByte(text[at:], '\n')
		if next < 0 {
			h.inLine = len(text) > at || h.inLine && at == 0
			return text
		}
		at += next + 1
		h.inLine = false
	}
}

func (h *PanicHold) keep() time.Duration {
	if h.For > 0 {
		return h.For
	}
	return panicTime
}

// Release shows what is held back: it was no panic.
func (h *PanicHold) Release() {
	if text := h.Take(); text != "" {
		h.Out.Stream("stderr", text)
	}
}

// Take returns what is held back, and forgets it.
func (h *PanicHold) Take() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	text := h.text.String()
	h.text.Reset()
	h.on = false
	return text
}
