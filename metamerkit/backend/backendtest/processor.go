package backendtest

import (
	"syscall"
	"time"
)

// Processor is the time that this process has spent on all cores, which other work
// on the machine disturbs little; 0 where it cannot be told.
func Processor() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
