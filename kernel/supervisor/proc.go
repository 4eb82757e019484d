package supervisor

import (
	"os"
	"slices"
	"strconv"
	"strings"
)

// A process is one entry of /proc that is neither a zombie nor a thread of the system.
type process struct {
	pid, parent, session int
	start                string // ticks since the system started: tells a pid from its next owner
	exiting              bool   // forks and execs nothing any more
	starting             bool   // its executable has no environment yet
	forked               bool   // it has not executed a program
}

// Flags of a process in /proc/PID/stat.
const (
	flagExiting    = 0x4
	flagForkNoExec = 0x40
	flagKernel     = 0x200000
)

// processes returns all processes except this one, the newest pids first, and how many
// ended between the listing and the look at them.
func processes() (list []process, vanished int) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, 0
	}
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	slices.Reverse(pids)
	for _, pid := range pids {
		p, state, ok := readProcess(pid)
		switch {
		case !ok:
			vanished++
		case state == "Z" || state == "X":
		default:
			list = append(list, p)
		}
	}
	return list, vanished
}

// readProcess reads /proc/PID/stat. A thread of the system counts as a zombie.
func readProcess(pid int) (p process, state string, ok bool) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return p, "", false
	}
	// pid (name) state ppid pgrp session tty tpgid flags ...; the name may have spaces
	// and brackets. f[i] is field i+3 of proc_pid_stat(5).
	stat := string(data)
	end := strings.LastIndexByte(stat, ')')
	if end < 0 {
		return p, "", false
	}
	f := strings.Fields(stat[end+1:])
	if len(f) < 49 {
		return p, "", false
	}
	number := func(i int) int { n, _ := strconv.Atoi(f[i]); return n }
	flags := number(6)
	if flags&flagKernel != 0 {
		return p, "Z", true
	}
	p = process{pid: pid, parent: number(1), session: number(3), start: f[19]}
	p.exiting = flags&flagExiting != 0
	p.forked = flags&flagForkNoExec != 0
	// env_end is set last when an executable is loaded. Who may not read the addresses
	// sees zeros, but may not read the environment either.
	p.starting = !p.exiting && f[48] == "0"
	return p, f[0], true
}
