package desk

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"sync"

	"github.com/ensemble-metamers/metamers/metamerkit/errand"
)

// Server does errands for programs on this machine.
type Server struct {
	Desk errand.Desk
	// Hello says who answers; its protocol is filled in.
	Hello func() errand.Hello
	// Busy, if set, is told that an errand began, and returns what is told of its end.
	Busy func() (done func())
	Log  *slog.Logger // nil: slog.Default()
}

// Listen opens the socket in a folder of errand.Dir, whose lock the caller has.
func Listen(dir string) (net.Listener, error) {
	path := errand.Socket(dir)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("desk: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("desk: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("desk: %w", err), l.Close())
	}
	return l, nil
}

// Serve answers until ctx ends, and returns when all errands have. It closes l, which
// removes its socket.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	if s.Log == nil {
		s.Log = slog.Default()
	}
	var errands sync.WaitGroup
	defer errands.Wait()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return errors.Join(fmt.Errorf("desk: %w", err), l.Close())
		}
		errands.Go(func() { s.serve(ctx, c) })
	}
}

// serve answers one program. A reader of its own notices that the program is gone, or
// wants no more, while an errand is under way.
func (s *Server) serve(ctx context.Context, c net.Conn) {
	defer c.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { // also ends the reader
		if u, ok := c.(*net.UnixConn); ok {
			u.CloseRead()
		}
	})
	defer stop()
	var mu sync.Mutex // progress may come while the last word is said
	enc := gob.NewEncoder(c)
	send := func(e errand.Event) error {
		mu.Lock()
		defer mu.Unlock()
		return enc.Encode(e)
	}
	hello := s.Hello()
	hello.Protocol = errand.Protocol
	if send(errand.Event{Hello: &hello}) != nil {
		return
	}
	requests := make(chan errand.Request)
	go func() {
		defer close(requests)
		defer cancel()
		dec := gob.NewDecoder(c)
		for {
			var q errand.Request
			if dec.Decode(&q) != nil {
				return
			}
			select {
			case requests <- q:
			case <-ctx.Done():
				return
			}
		}
	}()
	for q := range requests {
		last := errand.Event{}
		reply, err := s.do(ctx, q, func(e errand.Event) { _ = send(e) }) // a program that is gone ends ctx
		if err != nil {
			last.Failed = errand.PackError(err)
		} else {
			last.Reply = reply
		}
		if send(last) != nil {
			return
		}
	}
}

// do does one errand. A panic is an error of this errand only.
func (s *Server) do(ctx context.Context, q errand.Request, show func(errand.Event)) (reply *errand.Reply, err error) {
	if s.Busy != nil {
		defer s.Busy()()
	}
	defer func() {
		if p := recover(); p != nil {
			s.Log.Error("panic", "value", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("desk: a defect in the engine: %v", p)
		}
	}()
	return s.Desk.Do(ctx, q, show)
}
