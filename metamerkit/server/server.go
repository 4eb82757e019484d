package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
)

// Server answers the connections of clients.
type Server struct {
	Service api.Service
	Backend string // see Status
	// Token, if set, is required of every connection, for listeners that others can reach.
	Token string
	// Idle ends Serve if for this long no connection held the engine and no request was under
	// way; 0: never.
	Idle   time.Duration
	Loaded func() []string // names of the models in memory, may be nil
	// Rested, if set, is called when no request has been under way for five seconds, or for a
	// quarter of Idle if that is shorter. It is called once, and once more after later requests.
	Rested func()
	Log    *slog.Logger // nil: slog.Default()

	mu       sync.Mutex
	holders  int
	working  int
	lastUsed time.Time
	resting  bool // since Rested was called no request has come
	stop     chan struct{}
	stopOnce sync.Once
	started  time.Time
	binary   os.FileInfo
	path     string
}

// Serve answers requests until ctx ends, a client stops the server, or it was idle for too
// long. It then cancels requests under way, whose checkpoints stay, and returns nil. A listener
// that fails is an error.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	if s.Log == nil {
		s.Log = slog.Default()
	}
	s.mu.Lock()
	s.stop, s.started, s.lastUsed = make(chan struct{}), time.Now(), time.Now()
	if path, err := os.Executable(); err == nil {
		s.path = path
		s.binary, _ = os.Stat(path) // nil: cannot become stale
	}
	s.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended, failed := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(ended)
		failed <- s.accept(ctx, l)
	}()
	soon := 5 * time.Second
	if s.Idle > 0 {
		soon = max(min(s.Idle/4, soon), 10*time.Millisecond)
	}
	tick := time.NewTicker(soon)
	defer tick.Stop()
	for why := ""; ; {
		select {
		case err := <-failed:
			return errors.Join(fmt.Errorf("server: %w", err), l.Close())
		case <-ctx.Done():
			why = "interrupted"
		case <-s.stop:
			why = "a client stopped it"
		case <-tick.C:
			if s.idle() {
				why = "idle"
			} else if s.rests(soon) {
				s.Rested()
			}
		}
		if why == "" {
			continue
		}
		s.Log.Info("engine stops", "why", why)
		cancel() // work under way ends within a chunk and saves its checkpoint
		l.Close()
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
		}
		return nil
	}
}

// accept answers each connection, and returns when the listener is closed and all
// connections have ended.
func (s *Server) accept(ctx context.Context, l net.Listener) error {
	var open sync.WaitGroup
	defer open.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		open.Go(func() { s.serve(ctx, c) })
	}
}

func (s *Server) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Idle > 0 && s.holders == 0 && s.working == 0 && time.Since(s.lastUsed) >= s.Idle
}

// rests reports, once for each rest, whether no request was under way for so long.
func (s *Server) rests(long time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Rested == nil || s.resting || s.working > 0 || time.Since(s.lastUsed) < long {
		return false
	}
	s.resting = true
	return true
}

// count notes that something began and returns what notes its end.
func (s *Server) count(n *int) func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	*n++
	s.resting = false
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		*n--
		s.lastUsed = time.Now()
	}
}

// status describes the server.
func (s *Server) status() *api.Status {
	s.mu.Lock()
	st := &api.Status{Protocol: api.Protocol, PID: os.Getpid(), Backend: s.Backend, Program: s.path, Started: s.started, Holders: s.holders, Working: s.working}
	binary := s.binary
	s.mu.Unlock()
	if binary != nil {
		now, err := os.Stat(st.Program)
		st.Stale = err != nil || !os.SameFile(now, binary) || now.ModTime() != binary.ModTime()
	}
	return st
}

// fullStatus adds memory and models to status.
func (s *Server) fullStatus() *api.Status {
	st := s.status()
	st.MemoryMB = resident() >> 20
	if s.Loaded != nil {
		st.Models = s.Loaded()
	}
	return st
}
