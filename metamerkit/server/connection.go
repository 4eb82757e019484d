package server

import (
	"bufio"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
)

const (
	alive      = 5 * time.Second  // time between two Alive events
	patience   = 10 * time.Second // time within which a client must send its first line
	maxRequest = 8 << 30          // bytes of one request: an image set of 13,000 images of 224²
)

// connection is one client's.
type connection struct {
	*Server
	conn  net.Conn
	input *io.LimitedReader

	mu  sync.Mutex // because progress may be sent during the last event
	enc *gob.Encoder
}

func (c *connection) send(e api.Event) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.enc.Encode(e)
}

// serve answers one client. A separate reader notices if the client closes the connection
// while a request is under way.
func (s *Server) serve(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := &connection{Server: s, conn: conn, enc: gob.NewEncoder(conn)}
	stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) }) // ends the reader
	defer stop()
	if err := c.admit(ctx); err != nil {
		if errors.Is(err, api.ErrToken) {
			_ = c.send(api.Event{Failed: api.PackError(err)}) // the client may be gone
		}
		return
	}
	if c.send(api.Event{Hello: s.status()}) != nil {
		return
	}
	requests := make(chan api.Request)
	go func() {
		defer close(requests)
		defer cancel()
		c.read(ctx, requests)
	}()
	held := false
	for q := range requests {
		last := api.Event{}
		switch {
		case q.Status != nil:
			last.Reply = &api.Reply{Status: s.fullStatus()}
		case q.Hold != nil:
			if !held {
				held = true
				defer s.count(&s.holders)()
			}
			last.Reply = &api.Reply{}
		case q.Stop != nil:
			_ = c.send(api.Event{Reply: &api.Reply{}}) // it is stopped either way
			s.stopOnce.Do(func() { close(s.stop) })
			return
		default:
			reply, err := c.work(ctx, cancel, q)
			if err != nil {
				last.Failed = api.PackError(err)
			} else {
				last.Reply = reply
			}
		}
		if c.send(last) != nil {
			return
		}
	}
}

// admit reads the first line, and returns an error unless it is that of a client with the
// right token. Nothing is decoded before.
func (c *connection) admit(ctx context.Context) error {
	_ = c.conn.SetReadDeadline(time.Now().Add(patience)) // without one it waits for the client
	r := bufio.NewReaderSize(c.conn, 1<<16)
	var line []byte
	for len(line) == 0 || line[len(line)-1] != '\n' {
		b, err := r.ReadByte()
		if err != nil {
			return err
		}
		if line = append(line, b); len(line) > api.MaxPreamble {
			return errors.New("server: the first line is too long")
		}
	}
	if err := api.CheckPreamble(string(line), c.Token); err != nil {
		return err
	}
	_ = c.conn.SetReadDeadline(time.Time{})
	c.input = &io.LimitedReader{R: r}
	return ctx.Err() // the deadline may have been that of its end
}

// read decodes requests until the client closes the connection or sends something else.
func (c *connection) read(ctx context.Context, requests chan<- api.Request) {
	dec := gob.NewDecoder(c.input)
	for {
		c.input.N = maxRequest
		var q api.Request
		if dec.Decode(&q) != nil {
			return
		}
		select {
		case requests <- q:
		case <-ctx.Done():
			return
		}
	}
}

// work carries out one request, and sends Alive events meanwhile. A panic is an error of this
// request only.
func (c *connection) work(ctx context.Context, cancel func(), q api.Request) (reply *api.Reply, err error) {
	defer c.count(&c.working)()
	done := make(chan struct{})
	var beat sync.WaitGroup
	defer beat.Wait()
	defer close(done)
	beat.Go(func() {
		t := time.NewTicker(alive)
		defer t.Stop()
		for {
			select {
			case <-done:
				return
			case <-t.C:
				if c.send(api.Event{Alive: true}) != nil {
					cancel()
					return
				}
			}
		}
	})
	defer func() {
		if p := recover(); p != nil {
			c.Log.Error("panic", "value", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("engine: a defect in the engine: %v", p)
		}
	}()
	return c.Service.Do(ctx, q, func(e api.Event) {
		if c.send(e) != nil { // the client is gone
			cancel()
		}
	})
}
