package main

import (
	"context"
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
