// Command host is the process of a notebook's session: it loads the packages of cells,
// which are plugins, and runs them one after the other. The kernel builds and starts it.
// Requests come on descriptor 3, replies go to descriptor 4.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"plugin"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ensemble-metamers/metamers/kernel/live/protocol"
	"github.com/ensemble-metamers/metamers/metamerkit/display"
	"github.com/ensemble-metamers/metamers/metamerkit/display/channel"
	"github.com/ensemble-metamers/metamers/metamerkit/display/running"
)

// A loaded package of a cell.
type loaded struct {
	define, run func()
	defined     func() []bool
	pointers    func() []any
}

// A request is to be carried out.
type request struct {
	protocol.Request
	loaded chan struct{} // run closes it when the cell is loaded
}

var (
	packages = map[string]*loaded{}
	bytes    int64  // of memory that their plugins take
	fresh    func() // releases what the last cell's plugin needs no longer
)

func main() {
	// A request says that the cell is interrupted. The signal, which this process sends
	// itself then, does not end it, and is not ignored by the processes that cells start.
	signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	running.Result = display.Result
	if len(os.Args) > 1 {
		try(os.Args[2:])
		return
	}
	in, out := os.NewFile(3, "requests"), os.NewFile(4, "replies")
	syscall.CloseOnExec(3)
	syscall.CloseOnExec(4)
	requests := make(chan request)
	e := json.NewEncoder(out)
	var writing sync.Mutex
	reply := func(r protocol.Reply) {
		writing.Lock()
		defer writing.Unlock()
		if err := e.Encode(r); err != nil {
			os.Exit(0)
		}
	}
	go func() {
		d := json.NewDecoder(in)
		loaded := make(chan struct{}) // closed when the last cell is
		for {
			var q protocol.Request
			if err := d.Decode(&q); err != nil {
				os.Exit(0) // the kernel has ended
			}
			if q.Kind == protocol.KindInterrupt {
				running.Interrupt()
				syscall.Kill(os.Getpid(), syscall.SIGINT) // to what cells have notified
				go func(loaded <-chan struct{}) {
					grace(q.Grace, loaded)
					reply(protocol.Reply{Late: q.Cell})
				}(loaded)
				continue
			}
			if q.Kind == protocol.KindRun {
				running.Expect() // here: an interrupt may be the next request
				loaded = make(chan struct{})
			}
			requests <- request{q, loaded}
		}
	}()
	for q := range requests {
		// Each cell has a goroutine of its own, which may end by runtime.Goexit.
		answer := make(chan protocol.Reply, 1)
		go func() {
			r := protocol.Reply{Number: q.Number}
			defer func() { answer <- r }()
			carryOut(q, &r)
		}()
		reply(<-answer)
		if fresh != nil {
			fresh()
			fresh = nil
		}
	}
}

// try loads plugins and runs them: by it the kernel finds out whether they can be linked
// in the way that it means to.
func try(files []string) {
	for _, file := range files {
		l, err := load(file, file)
		if err != nil {
			panic(err)
		}
		l.define()
		l.run()
	}
}

// grace waits until the cell is loaded, which cannot be interrupted, and then in steps: on a
// busy machine each takes longer, as what an interrupted cell does takes longer.
func grace(d time.Duration, loaded <-chan struct{}) {
	const step = 10 * time.Millisecond
	<-loaded
	for ; d > 0; d -= step {
		time.Sleep(step)
	}
}

func carryOut(q request, r *protocol.Reply) {
	switch q.Kind {
	case protocol.KindRun:
		run(q, r)
	case protocol.KindSet:
		for name, value := range q.Env {
			os.Setenv(name, value)
		}
		if q.Dir != "" {
			if err := os.Chdir(q.Dir); err != nil {
				r.Error = err.Error()
			}
		}
	case protocol.KindValues:
		for _, p := range q.Values {
			r.Values = append(r.Values, describe(p))
		}
	default:
		r.Error = fmt.Sprintf("unknown request %q", q.Kind)
	}
}

// load opens the plugin of a package, unless it is there.
func load(path, file string) (*loaded, error) {
	if l := packages[path]; l != nil {
		return l, nil
	}
	p, err := plugin.Open(file)
	if err != nil {
		return nil, err
	}
	s, err := p.Lookup("Cell")
	if err != nil {
		return nil, err
	}
	l := &loaded{}
	l.define, l.run, l.defined, l.pointers = s.(func() (define, run func(), defined func() []bool, pointers func() []any))()
	packages[path] = l
	if written, n, err := segments(file); err == nil {
		bytes += n
		if written >= worth {
			fresh = func() { release(file, written) }
		}
	}
	return l, nil
}

func run(q request, r *protocol.Reply) {
	defer running.End()
	l, err := load(q.Package, q.File)
	close(q.loaded)
	if err != nil {
		r.Error = err.Error()
		return
	}
	r.Loaded, r.Plugins = true, bytes
	os.Setenv(channel.CellEnv, q.Cell)
	if q.Stdin != "" {
		if f, err := os.Open(q.Stdin); err == nil {
			syscall.Dup3(int(f.Fd()), 0, 0)
			f.Close()
		}
	}
	began := time.Now()
	defer func() {
		r.Elapsed = time.Since(began).Seconds()
		r.Defined = l.defined()
	}()
	defer func() {
		if v := recover(); v != nil {
			told(v, r)
		}
	}()
	running.Begin()
	l.define()
	l.run()
}

// told says what a panic of the cell was. It is called while the panic goes on.
func told(v any, r *protocol.Reply) {
	if v == any(running.ErrInterrupted) {
		r.Stopped = true
		return
	}
	if f, ok := v.(running.Failure); ok {
		r.Failed = f.Err.Error()
		return
	}
	r.Panic = "panic: " + text(v) + "\n\n" + stack(string(debug.Stack()))
}

// text is a value of a panic as Go prints it.
func text(v any) (s string) {
	defer func() {
		if recover() != nil {
			s = fmt.Sprintf("(%T)", v)
		}
	}()
	switch v := v.(type) {
	case error:
		return v.Error()
	case fmt.Stringer:
		return v.String()
	case string:
		return v
	case bool, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, uintptr, float32, float64, complex64, complex128:
		return fmt.Sprintf("%T(%v)", v, v)
	}
	return fmt.Sprintf("(%T) %+v", v, v)
}

// stack leaves of a stack what is below the panic.
func stack(s string) string {
	head, rest, _ := strings.Cut(s, "\n")
	if at := strings.LastIndex(rest, "\npanic("); at >= 0 {
		rest = rest[at+1:]
		for range 2 { // the call of panic and its place
			_, rest, _ = strings.Cut(rest, "\n")
		}
	}
	if at := strings.Index(rest, "main.run("); at >= 0 {
		rest = rest[:at]
	}
	return head + "\n" + rest
}
