//go:build cgo && linux

package backend

// #include "memorykept.h"
import "C"

import (
	"runtime"
	"runtime/debug"
)

// XLA's CPU plugin allocates the arrays of every step anew. By default the C library asks the
// system for large ones and returns them as soon as they are free, so that in every step the
// system clears their memory again (docs/notes/speed.md). A program that imports this package
// keeps free memory for the next step, until GiveBack.

// GiveBack returns memory that nobody uses to the system.
func GiveBack() {
	runtime.GC() // finds arrays whose finalizers free memory
	debug.FreeOSMemory()
	C.give_back()
}
