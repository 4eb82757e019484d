package backend

import (
	"bufio"
	"bytes"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Used is what this process has used until now, but for a GPU.
func Used() metamer.Usage {
	u := metamer.Usage{Cores: runtime.NumCPU(), Memory: peak()}
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) == nil {
		u.Processor = time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	return u
}

// Used returns what this process has used so far. The time of a GPU is sampled, and complete
// only if Used is called every few seconds.
func (b *Backend) Used() metamer.Usage {
	u := Used()
	if b.Kind == CUDA {
		u.Device = gpuLoad.total()
	}
	return u
}

// peak is the most memory that this process has held. Linux's rusage would count what
// the process held that started it.
func peak() uint64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if rest, ok := bytes.CutPrefix(lines.Bytes(), []byte("VmHWM:")); ok {
			kB, err := strconv.ParseUint(string(bytes.Fields(rest)[0]), 10, 64)
			if err != nil {
				return 0
			}
			return kB << 10
		}
	}
	return 0
}
