package lifeline

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Descendants returns the processes below pid, those whose program skip names
// (and what is below them) left out.
func Descendants(pid int, skip func(program string) bool) (pids []int) {
	children := map[int][]int{}
	names := map[int]string{}
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		p, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue
		}
		// pid (name) state ppid ...; the name may have spaces and brackets.
		open, end := strings.IndexByte(string(stat), '('), strings.LastIndexByte(string(stat), ')')
		if open < 0 || end < open {
			continue
		}
		f := strings.Fields(string(stat[end+1:]))
		if len(f) < 2 || f[0] == "Z" {
			continue
		}
		parent, _ := strconv.Atoi(f[1])
		children[parent] = append(children[parent], p)
		names[p] = string(stat[open+1 : end])
	}
	var walk func(int)
	walk = func(p int) {
		for _, c := range children[p] {
			if skip != nil && skip(names[c]) {
				continue
			}
			pids = append(pids, c)
			walk(c)
		}
	}
	walk(pid)
	return pids
}

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
		if time.Since(began) > 4*grace { // what keeps the execution is no process of its own
			wait *= 20
		}
		select {
		case <-over:
			return
		case <-time.After(wait):
		}
	}
}
