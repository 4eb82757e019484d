package supervisor

import (
	"syscall"
	"time"
)

// Descendants returns the processes below pid.
func Descendants(pid int) (pids []int) {
	children := map[int][]int{}
	list, _ := processes()
	for _, p := range list {
		children[p.parent] = append(children[p.parent], p.pid)
	}
	var walk func(int)
	walk = func(p int) {
		for _, c := range children[p] {
			pids = append(pids, c)
			walk(c)
		}
	}
	walk(pid)
	return pids
}

// Interrupt interrupts the processes that list returns, each once, and those that it comes
// to return until over is closed.
func Interrupt(list func() []int, over <-chan struct{}) { Stop(list, 1<<62, over) }

// Stop interrupts the processes that list returns, each once, and those that it comes
// to return until over is closed; after grace it kills them. That there is none at some
// moment says nothing: the next may be about to start.
func Stop(list func() []int, grace time.Duration, over <-chan struct{}) {
	const look = 10 * time.Millisecond
	began, told := time.Now(), map[int]bool{}
	for {
		late := time.Since(began) > grace
		for _, pid := range list() {
			switch {
			case late:
				syscall.Kill(pid, syscall.SIGKILL)
			case !told[pid]:
				syscall.Kill(pid, syscall.SIGINT)
				told[pid] = true
			}
		}
		wait := look
		if time.Since(began)/4 > grace { // what keeps the execution is no process of its own
			wait *= 20
		}
		select {
		case <-over:
			return
		case <-time.After(wait):
		}
	}
}
