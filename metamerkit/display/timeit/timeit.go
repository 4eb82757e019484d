// Package timeit times functions. It is what %timeit calls in a notebook's session.
package timeit

import (
	"fmt"
	"math"
	"time"
)

// Rounds, and how long one takes at least.
const (
	rounds = 7
	round  = 200 * time.Millisecond
)

// Run calls f often enough to be timed and prints how long a call takes: mean and standard
// deviation of seven rounds.
func Run(f func()) {
	calls := 1
	for {
		if d := timed(f, calls); d >= round || calls >= 1<<30 {
			break
		} else if d < round/20 {
			calls *= 10
		} else {
			calls = int(float64(calls)*float64(round)/float64(d)) + 1
		}
	}
	var sum, squares float64
	for range rounds {
		x := timed(f, calls).Seconds() / float64(calls)
		sum += x
		squares += x * x
	}
	mean := sum / rounds
	deviation := math.Sqrt(max(0, squares/rounds-mean*mean))
	fmt.Printf("%s ± %s per call (mean ± standard deviation of %d rounds of %d calls)\n", seconds(mean), seconds(deviation), rounds, calls)
}

func timed(f func(), calls int) time.Duration {
	began := time.Now()
	for range calls {
		f()
	}
	return time.Since(began)
}

// seconds writes a time with three digits.
func seconds(s float64) string {
	for _, u := range []struct {
		size float64
		name string
	}{{1, "s"}, {1e-3, "ms"}, {1e-6, "µs"}} {
		if s >= u.size {
			return fmt.Sprintf("%.3g %s", s/u.size, u.name)
		}
	}
	return fmt.Sprintf("%.3g ns", s/1e-9)
}
