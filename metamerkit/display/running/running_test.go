package running

import "testing"

// began reports whether Begin ends the cell.
func began() (ended bool) {
	defer func() { ended = recover() == any(ErrInterrupted) }()
	Begin()
	return false
}

// A cell is requested, loaded and run: an interrupt reaches it at any moment, and no other cell.
func TestInterruptBeforeACellBegins(t *testing.T) {
	Interrupt() // no cell yet
	Expect()
	if began() {
		t.Error("an interrupt before any cell ended the next")
	}
	End()
	Interrupt()
	Expect()
	Interrupt() // while it is loaded
	if !began() {
		t.Error("an interrupt of a cell that had not begun was lost")
	}
	if Context().Err() == nil {
		t.Error("the context of the interrupted cell is not done")
	}
	End()
	Expect()
	if began() {
		t.Error("an interrupt of a cell ended the one behind it")
	}
	End()
}
