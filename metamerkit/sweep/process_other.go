//go:build !linux

package sweep

import "syscall"

func own() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
