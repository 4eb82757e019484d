// Package running connects the code of a notebook cell with its session: it reports whether
// the cell was interrupted, returns the cell's context, and ends the cell with an error. The
// kernel inserts calls of Check into the loops and functions of cells. In a program without a
// session nothing is ever interrupted. Every cell links the package, so it imports little.
package running

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

var stop atomic.Bool // the running cell is to end

var cell struct {
	sync.Mutex
	ctx       context.Context // nil outside of a session
	cancel    context.CancelFunc
	open      bool   // from Expect to End
	goroutine string // that runs the cell; "" where none runs yet, or no longer
}

// Result shows the value of the cell. The session sets it to display.Result, so that cells
// need not link package display.
var Result func(values ...any)

// ErrInterrupted is what Check panics with.
var ErrInterrupted = errors.New("the cell was interrupted")

// A Failure is what Fail panics with.
type Failure struct{ Err error }

func (f Failure) Error() string { return f.Err.Error() }

// Check ends the running cell, by a panic with ErrInterrupted, if it was interrupted.
// Goroutines that the cell started go on.
func Check() {
	if stop.Load() {
		interrupted()
	}
}

//go:noinline
func interrupted() {
	cell.Lock()
	mine := cell.goroutine == goroutine()
	cell.Unlock()
	if mine && stop.CompareAndSwap(true, false) {
		panic(ErrInterrupted)
	}
}

// Context returns the context of the running cell, which an interrupt ends; nil in a
// program that is no session.
func Context() context.Context {
	cell.Lock()
	defer cell.Unlock()
	return cell.ctx
}

// Sleep is time.Sleep, which an interrupt of the cell ends.
func Sleep(d time.Duration) {
	cell.Lock()
	ctx, mine := cell.ctx, cell.goroutine == goroutine()
	cell.Unlock()
	if !mine || ctx == nil {
		time.Sleep(d)
		return
	}
	wake := time.NewTimer(d)
	defer wake.Stop()
	select {
	case <-wake.C:
	case <-ctx.Done():
		Check()
	}
}

// Receive is a receive from a channel, which an interrupt of the cell ends.
func Receive[T any](c <-chan T) T {
	cell.Lock()
	ctx, mine := cell.ctx, cell.goroutine == goroutine()
	cell.Unlock()
	if !mine || ctx == nil {
		return <-c
	}
	select {
	case v := <-c:
		return v
	case <-ctx.Done():
		Check()
		return <-c
	}
}

// Received is Receive that also reports, as a receive does, whether the value was sent.
func Received[T any](c <-chan T) (v T, sent bool) {
	for v, sent = range receipts(c) {
		break
	}
	return v, sent
}

// Range returns the values of a channel until it is closed, for a loop that an interrupt of
// the cell ends also where it waits.
func Range[T any](c <-chan T) iter.Seq[T] {
	return func(yield func(T) bool) {
		for v, sent := range receipts(c) {
			if !sent || !yield(v) {
				return
			}
		}
	}
}

func receipts[T any](c <-chan T) iter.Seq2[T, bool] {
	return func(yield func(T, bool) bool) {
		cell.Lock()
		ctx, mine := cell.ctx, cell.goroutine == goroutine()
		cell.Unlock()
		var done <-chan struct{}
		if mine && ctx != nil {
			done = ctx.Done()
		}
		for {
			select {
			case v, sent := <-c:
				if !yield(v, sent) {
					return
				}
			case <-done:
				done = nil
				Check()
			}
		}
	}
}

// Fail ends the cell with an error. In another goroutine than the cell's it says the error
// on standard error and ends that goroutine. It does nothing in a program that is no
// session.
func Fail(err error) {
	cell.Lock()
	session, mine := cell.ctx != nil, cell.goroutine == goroutine()
	cell.Unlock()
	switch {
	case mine:
		panic(Failure{err})
	case session:
		println("error: " + err.Error()) // on standard error
		runtime.Goexit()
	}
}

// Expect says that a cell is about to run: it can be interrupted from now on. The session
// calls it when the cell is requested, before it loads the cell.
func Expect() {
	cell.Lock()
	defer cell.Unlock()
	stop.Store(false)
	cell.ctx, cell.cancel = context.WithCancel(context.Background())
	cell.open = true
}

// Begin says that this goroutine runs the expected cell from now on. It ends the cell, as
// Check does, if it was interrupted before. The session calls it.
func Begin() {
	cell.Lock()
	cell.goroutine = goroutine()
	cell.Unlock()
	Check()
}

// Interrupt interrupts the cell that runs or is expected, if there is one. The session calls it.
func Interrupt() {
	cell.Lock()
	defer cell.Unlock()
	if cell.open {
		stop.Store(true)
		cell.cancel()
	}
}

// End says that the cell has ended. Its context stays as it is for the goroutines that
// the cell started.
func End() {
	cell.Lock()
	defer cell.Unlock()
	stop.Store(false)
	cell.open, cell.goroutine = false, ""
}

// goroutine identifies the calling goroutine: the number in the head of its stack.
func goroutine() string {
	var b [64]byte
	head := b[:runtime.Stack(b[:], false)]
	head = bytes.TrimPrefix(head, []byte("goroutine "))
	number, _, _ := bytes.Cut(head, []byte(" "))
	return string(number)
}
