//go:build unix

package runs

import (
	"errors"
	"syscall"
)

// running reports whether a process of this machine is there.
func running(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
