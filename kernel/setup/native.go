package setup

import (
	"os"
	"runtime"
)

// Native makes this process and what it starts build programs for this machine, whatever
// GOOS and GOARCH are in the environment or in go env's file: the kernel runs what it
// builds.
func Native() {
	os.Setenv("GOOS", runtime.GOOS)
	os.Setenv("GOARCH", runtime.GOARCH)
}
