// Package streams moves what programs of cells write and read: standard output and
// error, the reports of panics among them, and standard input.
package streams

import (
	"os"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"
)

const (
	pipeSize = 1 << 20
	paceTime = 20 * time.Millisecond // between two stream messages of a flood
)

// A Pump moves what a program writes on one stream. Its lock covers reading and
// emitting, so that whoever holds it knows that nothing is on its way.
type Pump struct {
	name string
	f    *os.File
	raw  syscall.RawConn
	emit func(name, text string)

	mu   sync.Mutex
	rest []byte // an incomplete character
	buf  []byte
	eof  bool
}

// NewPump makes a pump and returns it with the end that is written to.
func NewPump(name string, emit func(name, text string)) (*Pump, *os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	raw, err := r.SyscallConn()
	if err != nil {
		return nil, nil, err
	}
	raw.Control(func(fd uintptr) { syscall.Syscall(syscall.SYS_FCNTL, fd, 1031 /* F_SETPIPE_SZ */, pipeSize) })
	return &Pump{name: name, f: r, raw: raw, emit: emit, buf: make([]byte, 1<<18)}, w, nil
}

// Run reads until the end of the stream.
func (p *Pump) Run() {
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
func (p *Pump) read(fd uintptr) bool {
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

// Drain emits all that was written until now.
func (p *Pump) Drain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.raw.Control(func(fd uintptr) {
		for !p.eof && p.read(fd) {
		}
	})
}
