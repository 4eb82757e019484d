package evaluate

import (
	"runtime"
	"sync"
)

// split lets do see the numbers below n in stretches, one a processor core, at the same
// time, and returns when all are done. What do leaves behind must not depend on the
// stretches.
func split(n int, do func(from, to int)) {
	parts := min(runtime.GOMAXPROCS(0), n)
	var all sync.WaitGroup
	for k := range parts {
		all.Go(func() { do(k*n/parts, (k+1)*n/parts) })
	}
	all.Wait()
}
