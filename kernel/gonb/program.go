package gonb

import (
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"github.com/ensemble-metamers/metamers/kernel/streams"
)

// A program is the running program of a cell: its streams, read here and never
// dropped, in order with what it displays.
type program struct {
	pid    int
	emit   func(name, text string)
	pumps  []*streams.Pump
	ended  sync.WaitGroup // the pumps
	pipes  *gonbPipes
	ask    *streams.Asker
	panics *streams.PanicHold
}

// open makes the pumps of a program's output streams and returns the ends that the
// program writes to.
func (p *program) open() (files []*os.File, err error) {
	for _, name := range []string{"stdout", "stderr"} {
		x, w, err := streams.NewPump(name, p.emit)
		if err != nil {
			return files, err
		}
		p.pumps = append(p.pumps, x)
		files = append(files, w)
	}
	return files, nil
}

// drain emits all that the program wrote until now: called before something that
// it sent another way is shown.
func (p *program) drain() {
	for _, x := range p.pumps {
		x.Drain()
	}
}

// finish waits, after the program's end, for the ends of its streams; a child that
// holds them open is not waited for, and what it still writes is shown later.
func (p *program) finish() {
	if p.ask != nil {
		p.ask.Stop()
	}
	if p.pipes != nil {
		p.pipes.finish()
		defer p.pipes.close()
	}
	done := make(chan struct{})
	go func() { p.ended.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(childTime):
		p.drain()
	}
}

// held returns what looked like a panic on standard error.
func (p *program) held() string { return p.panics.Take() }

// available returns the number of bytes that a read would find.
func available(raw syscall.RawConn) (n int) {
	raw.Control(func(fd uintptr) {
		var v int32
		if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, fd, 0x541B /* FIONREAD */, uintptr(unsafe.Pointer(&v))); e == 0 {
			n = int(v)
		}
	})
	return n
}
