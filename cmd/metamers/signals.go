package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// patience is how long a command may take to save its work after SIGTERM. Slurm and
// Kubernetes kill it 30 s after that signal.
const patience = 20 * time.Second

// untilSignal returns a context that the first SIGINT or SIGTERM cancels. A second
// signal ends the process at once, and so does patience after SIGTERM, wherever the
// process hangs: runs and checkpoints survive a kill at any time.
func untilSignal() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() { os.Exit(watch(signals, cancel, patience)) }()
	return ctx
}

// watch waits until the process must end and returns its exit status.
func watch(signals <-chan os.Signal, cancel func(), patience time.Duration) int {
	last := <-signals
	cancel()
	var late <-chan time.Time
	if last == syscall.SIGTERM {
		late = time.After(patience)
	}
	select {
	case last = <-signals:
	case <-late:
	}
	if last == syscall.SIGTERM {
		return 128 + int(syscall.SIGTERM)
	}
	return 128 + int(syscall.SIGINT)
}

// untilDone reads until ctx ends. A read that waits for input then returns the context's
// error, and the data it would have returned is lost.
type untilDone struct {
	ctx context.Context
	in  io.Reader
}

func (u untilDone) Read(p []byte) (int, error) {
	type result struct {
		data []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		data := make([]byte, len(p))
		n, err := u.in.Read(data)
		done <- result{data[:n], err}
	}()
	select {
	case r := <-done:
		return copy(p, r.data), r.err
	case <-u.ctx.Done():
		return 0, u.ctx.Err()
	}
}
