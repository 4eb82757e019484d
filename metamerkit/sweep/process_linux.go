package sweep

import "syscall"

// own gives a command a process group of its own, so that Ctrl-C reaches it once, from
// here; it is told to end when this process dies.
func own() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
