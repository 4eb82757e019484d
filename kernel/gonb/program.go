package gonb

import (
	"os"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"
	"unsafe"
)

const (
	pipeSize  = 1 << 20
	paceTime  = 20 * time.Millisecond // between two stream messages of a flood
	panicTime = time.Second           // a panic held back longer was none
)

// A program is the running program of a cell: its streams, read here and never
// dropped, in order with what it displays.
type program struct {
	pid    int
	emit   func(name, text string)
	pumps  []*pump
	ended  sync.WaitGroup // the pumps
	pipes  *gonbPipes
	ask    *asker
	panics *panicHold
}

// A pump moves what a program writes on one stream. Its lock covers reading and
// emitting, so that whoever holds it knows that nothing is on its way.
type pump struct {
	name string
	f    *os.File
	raw  syscall.RawConn
	emit func(name, text string)

	mu   sync.Mutex
	rest []byte // an incomplete character
	buf  []byte
	eof  bool
}

func newPump(name string, emit func(name, text string)) (*pump, *os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	raw, err := r.SyscallConn()
	if err != nil {
		return nil, nil, err
	}
	raw.Control(func(fd uintptr) { syscall.Syscall(syscall.SYS_FCNTL, fd, 1031 /* F_SETPIPE_SZ */, pipeSize) })
	return &pump{name: name, f: r, raw: raw, emit: emit, buf: make([]byte, 1<<18)}, w, nil
}

// open makes the pumps of a program's output streams and returns the ends that the
// program writes to.
func (p *program) open() (files []*os.File, err error) {
	for _, name := range []string{"stdout", "stderr"} {
		x, w, err := newPump(name, p.emit)
		if err != nil {
			return files, err
		}
		p.pumps = append(p.pumps, x)
		files = append(files, w)
	}
	return files, nil
}

// run reads until the end of the stream.
func (p *pump) run() {
	defer p.f.Close()
	var last time.Time
	for {
		if d := time.Since(last); d < paceTime {
			time.Sleep(paceTime - d)
		}
		err := p.raw.Read(func(fd uintptr) bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.eof || p.read(fd) // false: wait until there is something
		})
		last = time.Now()
		p.mu.Lock()
		eof := p.eof || err != nil
		p.mu.Unlock()
		if eof {
			return
		}
	}
}

// read reads once without waiting; the lock is held. It reports whether there was
// anything, the end included.
func (p *pump) read(fd uintptr) bool {
	n, err := syscall.Read(int(fd), p.buf)
	if err == syscall.EAGAIN || err == syscall.EINTR {
		return false
	}
	if n <= 0 || err != nil {
		p.eof = true
		if len(p.rest) > 0 {
			p.emit(p.name, string([]rune(string(p.rest))))
			p.rest = nil
		}
		return true
	}
	data := append(p.rest, p.buf[:n]...)
	whole := len(data)
	for i := 1; i <= 3 && i <= len(data); i++ {
		if c := data[len(data)-i]; utf8.RuneStart(c) {
			if !utf8.FullRune(data[len(data)-i:]) {
				whole = len(data) - i
			}
			break
		}
	}
	p.rest = append([]byte(nil), data[whole:]...)
	p.emit(p.name, string(data[:whole]))
	return true
}

// drain emits all that was written until now.
func (p *pump) drain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.raw.Control(func(fd uintptr) {
		for !p.eof && p.read(fd) {
		}
	})
}

// drain emits all that the program wrote until now: called before something that
// it sent another way is shown.
func (p *program) drain() {
	for _, x := range p.pumps {
		x.drain()
	}
}

// finish waits, after the program's end, for the ends of its streams; a child that
// holds them open is not waited for, and what it still writes is shown later.
func (p *program) finish() {
	if p.ask != nil {
		p.ask.stop()
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
func (p *program) held() string { return p.panics.take() }

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
