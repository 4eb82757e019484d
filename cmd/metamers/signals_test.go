package main

import (
	"os"
	"syscall"
	"testing"
	"time"
)

// The second signal ends a command that does not return, and SIGTERM alone does.
func TestWatch(t *testing.T) {
	for _, c := range []struct {
		sent     []os.Signal
		patience time.Duration
		want     int
	}{
		{[]os.Signal{os.Interrupt, os.Interrupt}, time.Hour, 130},
		{[]os.Signal{syscall.SIGTERM, os.Interrupt}, time.Hour, 130},
		{[]os.Signal{os.Interrupt, syscall.SIGTERM}, time.Hour, 143},
		{[]os.Signal{syscall.SIGTERM}, 0, 143},
	} {
		signals := make(chan os.Signal, 2)
		for _, s := range c.sent {
			signals <- s
		}
		cancelled := 0
		if got := watch(signals, func() { cancelled++ }, c.patience); got != c.want || cancelled != 1 {
			t.Errorf("%v: status %d, cancelled %d times; expected %d, once", c.sent, got, cancelled, c.want)
		}
	}
}
