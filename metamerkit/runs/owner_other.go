//go:build !unix

package runs

import "os"

// running reports whether a process of this machine is there.
func running(pid int) bool {
	_, err := os.FindProcess(pid)
	return err == nil
}
