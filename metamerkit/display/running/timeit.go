package running

import (
	"fmt"
	"math"
	"time"
)

// Rounds of Timeit, and how long one takes at least.
const (
	timeRounds = 7
	timeRound  = 200 * time.Millisecond
)

// Timeit calls f often enough to be timed and prints how long a call takes: mean and
// standard deviation of seven rounds. It is what %timeit calls.
func Timeit(f func()) {
	calls := 1
	for {
		if d := timed(f, calls); d >= timeRound || calls >= 1<<30 {
			break
		} else if d < timeRound/20 {
			calls *= 10
		} else {
			calls = int(float64(calls)*float64(timeRound)/float64(d)) + 1
		}
	}
	var sum, squares float64
	for range timeRounds {
		x := timed(f, calls).Seconds() / float64(calls)
		sum += x
		squares += x * x
	}
	mean := sum / timeRounds
	deviation := math.Sqrt(max(0, squares/timeRounds-mean*mean))
	fmt.Printf("%s ± %s per call (mean ± standard deviation of %d rounds of %d calls)\n", seconds(mean), seconds(deviation), timeRounds, calls)
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
