package streams

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/ensemble-metamers/metamers/kernel/session"
)

const askTime = 60 * time.Millisecond

// An Asker looks whether a program waits for standard input and asks the user
// then.
type Asker struct {
	pid   int
	drain func()
	out   session.Output
	w     *os.File
	ended func()
	quit  chan struct{}
}

// NewAsker starts to look at a process whose standard input comes from w. What the
// process wrote before is shown by drain. When a question is interrupted ended is called,
// and the program's input is at its end; with nil it goes on until Stop.
func NewAsker(pid int, drain func(), out session.Output, w *os.File, ended func()) *Asker {
	a := &Asker{pid: pid, drain: drain, out: out, w: w, ended: ended, quit: make(chan struct{})}
	go a.run()
	return a
}

// Stop ends the looking and the input.
func (a *Asker) Stop() {
	close(a.quit)
	a.w.Close()
}

func (a *Asker) run() {
	for {
		select {
		case <-a.quit:
			return
		case <-time.After(askTime):
		}
		if !reads(a.pid) {
			continue
		}
		a.drain()
		text, err := a.out.Input("", false) // what the program asks is on standard output
		if errors.Is(err, session.ErrInterrupted) {
			if a.ended != nil {
				a.ended()
				a.w.Close()
			}
			return // the program gets a signal; Stop closes its input
		}
		if err != nil {
			a.w.Close() // the program sees the end of its input
			return
		}
		if _, err := a.w.WriteString(text + "\n"); err != nil {
			return
		}
	}
}

// readCall is the number of the system call read.
var readCall = map[string]string{"amd64": "0", "arm64": "63"}[runtime.GOARCH]

// reads reports whether a thread of the process sits in a read of descriptor 0.
func reads(pid int) bool {
	files, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/syscall")
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		if w := strings.Fields(string(text)); len(w) > 1 && w[0] == readCall && w[1] == "0x0" {
			return true
		}
	}
	return false
}
