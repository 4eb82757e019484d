package backend

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// load adds up the time in which kernels ran on the first GPU that this process may use.
// It queries nvidia-smi, about once a second and only while total is called.
type load struct {
	mu       sync.Mutex
	querying bool
	last     time.Time
	busy     time.Duration
}

var gpuLoad load

// total returns the time so far, and starts a query in the background if the last one was at
// least a second ago.
func (l *load) total() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.querying && time.Since(l.last) >= time.Second {
		l.querying = true
		go l.query()
	}
	return l.busy
}

func (l *load) query() {
	share, ok := utilisation()
	l.add(time.Now(), share, ok)
}

// add adds the time since the last query, of which the GPU was busy for a share.
func (l *load) add(now time.Time, share float64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	// After a pause without queries the share of the pause is unknown.
	if since := now.Sub(l.last); ok && since < 10*time.Second {
		l.busy += time.Duration(share * float64(since))
	}
	l.querying, l.last = false, now
}

// utilisation returns the share of the last sampling period, of up to a second, in which the
// GPU ran kernels. It is not ok if the driver does not state it.
func utilisation() (share float64, ok bool) {
	percent, ok := driverSays("utilization.gpu")
	return percent / 100, ok && percent <= 100
}

// driverSays returns a value that nvidia-smi reports for the GPU, at least 0. It is not ok if
// the value is missing.
func driverSays(what string) (v float64, ok bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "nvidia-smi", "--query-gpu="+what, "--format=csv,noheader,nounits", "--id="+firstVisible()).Output()
	if err != nil {
		return 0, false
	}
	v, err = strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	return v, err == nil && v >= 0
}

// firstVisible returns the first GPU of CUDA_VISIBLE_DEVICES, which XLA uses.
func firstVisible() string {
	first, _, _ := strings.Cut(os.Getenv("CUDA_VISIBLE_DEVICES"), ",")
	if first == "" {
		return "0"
	}
	return first
}
