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
// It asks the driver's own program, about once a second and only while somebody looks.
type load struct {
	mu     sync.Mutex
	asking bool
	last   time.Time
	busy   time.Duration
}

var gpuLoad load

// look returns what has come together, and has the driver asked again in the background
// if that was a second ago.
func (l *load) look() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.asking && time.Since(l.last) >= time.Second {
		l.asking = true
		go l.ask()
	}
	return l.busy
}

func (l *load) ask() {
	share, ok := utilisation()
	l.asked(time.Now(), share, ok)
}

func (l *load) asked(now time.Time, share float64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	// After a pause nobody knows what was in it.
	if since := now.Sub(l.last); ok && since < 10*time.Second {
		l.busy += time.Duration(share * float64(since))
	}
	l.asking, l.last = false, now
}

// utilisation is the share of its last sampling period, of up to a second, in which the
// GPU ran kernels; not ok where its driver does not say.
func utilisation() (share float64, ok bool) {
	percent, ok := driverSays("utilization.gpu")
	return percent / 100, ok && percent <= 100
}

// driverSays is a number that the driver has of the GPU that computes, not below 0; not ok
// where it does not say.
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

// firstVisible is the first GPU of CUDA_VISIBLE_DEVICES, which is the one that computes.
func firstVisible() string {
	first, _, _ := strings.Cut(os.Getenv("CUDA_VISIBLE_DEVICES"), ",")
	if first == "" {
		return "0"
	}
	return first
}
