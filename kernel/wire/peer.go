package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/go-zeromq/zmq4"
	"github.com/go-zeromq/zmq4/security/null"
)

const (
	handshakeTime = 10 * time.Second
	maxMessage    = 1 << 30  // bytes of one message from a peer
	maxQueue      = 64 << 20 // bytes that wait for a peer before a sender waits
	stallTime     = 2 * time.Minute
)

// stream buffers a connection: what was written goes out before the next read
// and when flush is called. Until the handshake is over it refuses long frames.
type stream struct {
	net.Conn
	r     *bufio.Reader
	w     *bufio.Writer
	ready bool
}

func (s *stream) Read(p []byte) (int, error) {
	if !s.ready {
		if err := s.w.Flush(); err != nil {
			return 0, err
		}
	}
	n, err := s.r.Read(p)
	// zmq4 makes room for whatever length a frame announces.
	if !s.ready && len(p) == 2 && n > 0 && p[0]&0x02 != 0 {
		return 0, errors.New("long frame in a ZMTP handshake")
	}
	return n, err
}

func (s *stream) Write(p []byte) (int, error) { return s.w.Write(p) }

// A peer is one connection with its queue of outgoing messages.
type peer struct {
	id   string
	conn *zmq4.Conn
	s    *stream

	mu      sync.Mutex
	changed *sync.Cond // the queue became shorter, longer, or closed
	queue   [][][]byte
	waiting int // bytes in the queue and in the message being written
	writing bool
	closed  bool
}

// open makes the ZMTP handshake on c.
func open(c net.Conn, kind zmq4.SocketType, id string, server bool) (p *peer, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("ZMTP handshake: %v", r)
		}
		if err != nil {
			c.Close()
		}
	}()
	s := &stream{Conn: c, r: bufio.NewReaderSize(c, 1<<16), w: bufio.NewWriterSize(c, 1<<16)}
	c.SetDeadline(time.Now().Add(handshakeTime))
	conn, err := zmq4.Open(s, null.Security(), kind, zmq4.SocketIdentity(id), server, nil)
	if err != nil {
		return nil, err
	}
	if err := s.w.Flush(); err != nil {
		return nil, err
	}
	c.SetDeadline(time.Time{})
	s.ready = true
	p = &peer{id: conn.Peer.Meta["Identity"], conn: conn, s: s}
	p.changed = sync.NewCond(&p.mu)
	go p.write()
	return p, nil
}

// send queues frames. It waits while the queue is full; after two minutes in
// which the peer took nothing the connection is closed.
func (p *peer) send(frames [][]byte) {
	size := 0
	for _, f := range frames {
		size += len(f) + 9
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.waiting > maxQueue && !p.closed {
		p.changed.Wait()
	}
	if p.closed {
		return
	}
	p.queue = append(p.queue, frames)
	p.waiting += size
	p.changed.Broadcast()
}

func (p *peer) write() {
	for {
		p.mu.Lock()
		for len(p.queue) == 0 && !p.closed {
			p.changed.Wait()
		}
		if p.closed {
			p.mu.Unlock()
			return
		}
		batch := p.queue
		p.queue, p.writing = nil, true
		p.mu.Unlock()
		for _, frames := range batch {
			size := 0
			for _, f := range frames {
				size += len(f) + 9
			}
			p.s.SetWriteDeadline(time.Now().Add(stallTime))
			if err := p.conn.SendMsg(zmq4.NewMsgFrom(frames...)); err != nil {
				p.close()
				return
			}
			p.mu.Lock()
			p.waiting -= size
			p.changed.Broadcast()
			p.mu.Unlock()
		}
		err := p.s.w.Flush()
		p.mu.Lock()
		p.writing = false
		p.changed.Broadcast()
		p.mu.Unlock()
		if err != nil {
			p.close()
			return
		}
	}
}

// flush waits until everything queued was given to the operating system, the
// connection is closed, or the time is over.
func (p *peer) flush(until time.Time) {
	timer := time.AfterFunc(time.Until(until), func() {
		p.mu.Lock() // or it comes between the look at the clock and the wait below
		defer p.mu.Unlock()
		p.changed.Broadcast()
	})
	defer timer.Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for (len(p.queue) > 0 || p.writing) && !p.closed && time.Now().Before(until) {
		p.changed.Wait()
	}
}

func (p *peer) close() {
	p.mu.Lock()
	p.closed = true
	p.queue = nil
	p.changed.Broadcast()
	p.mu.Unlock()
	p.s.Close()
}

// recv reads the frames of the next message; commands are skipped.
func (p *peer) recv() ([][]byte, error) {
	for {
		var frames [][]byte
		total := 0
		for {
			flags, body, err := readFrame(p.s.r, maxMessage-total)
			if err != nil {
				return nil, err
			}
			if flags&0x04 != 0 { // a command: with ZMTP 3.0 none needs an answer
				frames = nil
				break
			}
			total += len(body)
			frames = append(frames, body)
			if flags&0x01 == 0 {
				return frames, nil
			}
			if len(frames) > 1000 {
				return nil, fmt.Errorf("ZMTP: more than %d frames in a message", len(frames)-1)
			}
		}
	}
}

// readFrame reads one ZMTP frame of at most limit bytes.
func readFrame(r io.Reader, limit int) (flags byte, body []byte, err error) {
	var head [9]byte
	if _, err = io.ReadFull(r, head[:2]); err != nil {
		return
	}
	flags = head[0]
	size := uint64(head[1])
	if flags&0x02 != 0 {
		if _, err = io.ReadFull(r, head[2:]); err != nil {
			return
		}
		size = binary.BigEndian.Uint64(head[1:])
	}
	if limit < 0 || size > uint64(limit) {
		return flags, nil, fmt.Errorf("ZMTP frame of %d bytes, the message may have %d more", size, limit)
	}
	// Grow with what comes, not with what is announced.
	if size <= 1<<20 {
		body = make([]byte, size)
		_, err = io.ReadFull(r, body)
		return
	}
	body, err = io.ReadAll(io.LimitReader(r, int64(size)))
	if err == nil && uint64(len(body)) < size {
		err = io.ErrUnexpectedEOF
	}
	return
}
