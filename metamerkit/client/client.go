// Package client connects to an engine in another process (package server): on this machine,
// where it starts one if none runs, or on another machine over TCP with a token. Notebook
// cells link it and are compiled whenever they are edited, so it and its imports are small.
package client

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
)

// Client is an api.Service that forwards requests to an engine in another process. Its zero
// value reaches the engine that the environment names. Several goroutines may use it.
type Client struct {
	// Address of an engine, "unix:PATH" or "tcp:HOST:PORT" (default: METAMERS_ENGINE, else
	// this user's engine on this machine), and its token (default: METAMERS_ENGINE_TOKEN).
	// The client never starts such an engine.
	Address, Token string
	// Backend chooses the engine on this machine: auto, xla:cuda, xla:cpu or go (default:
	// METAMERS_BACKEND, else auto).
	Backend string
	// Program is the command metamers, which starts an engine if none runs (default:
	// METAMERS_PROGRAM, then the one on PATH).
	Program  string
	Patience time.Duration // how long an engine may take to start; default 60 s
	// Direct starts an engine as a child of this process. Otherwise the command "metamers
	// engine start" starts it, so that it is no descendant of this process: a kernel kills
	// descendants when a cell is interrupted.
	Direct bool
	// Say, if set, is called with messages, such as that an engine is being started.
	Say func(string)

	mu   sync.Mutex
	free []*link
}

// link is a connection.
type link struct {
	conn    net.Conn
	enc     *gob.Encoder
	dec     *gob.Decoder
	address string
	hello   api.Status
}

// target returns the address and token of the engine, and the folder of its socket if the
// client may start it.
func (c *Client) target() (address, token, dir string, err error) {
	address, token = c.Address, c.Token
	if address == "" {
		address = os.Getenv("METAMERS_ENGINE")
	}
	if token == "" {
		token = os.Getenv("METAMERS_ENGINE_TOKEN")
	}
	if address == "" {
		if dir, err = api.Dir(c.backend()); err != nil {
			return "", "", "", err
		}
		return api.Address(dir), "", dir, nil
	}
	return address, token, "", nil
}

// Do implements api.Service. It starts an engine if none runs on this machine, and restarts
// one whose program was replaced since. When ctx ends, Do returns its error at once, and the
// engine ends the work within a chunk of steps. The error is the engine's *api.Failure, or an
// *UnreachableError, *VersionError or *LostError.
func (c *Client) Do(ctx context.Context, q api.Request, show func(api.Event)) (*api.Reply, error) {
	l, used, err := c.take(ctx)
	if err != nil {
		return nil, err
	}
	heard := false
	reply, err := l.exchange(ctx, q, func(e api.Event) { heard = true; show(e) })
	var failed *api.Failure
	answered := err == nil || errors.As(err, &failed)
	if ctx.Err() == nil && answered {
		c.mu.Lock()
		c.free = append(c.free, l)
		c.mu.Unlock()
		if !strings.HasPrefix(l.address, "tcp:") {
			return reply, err
		}
		if errors.Is(err, api.ErrElsewhere) {
			return c.sendImages(ctx, q, show)
		}
		if err == nil {
			err = c.copyRuns(ctx, q, reply)
		}
		return reply, err
	}
	l.conn.Close()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if used && !heard { // the engine has ended since its last reply
		c.mu.Lock()
		c.free = nil
		c.mu.Unlock()
		return c.Do(ctx, q, show)
	}
	return nil, err
}

// exchange sends a request, shows the events that answer it, and returns the reply or the
// engine's *api.Failure. It closes the connection when ctx ends, upon which the engine ends
// the work. A connection that breaks is a *LostError.
func (l *link) exchange(ctx context.Context, q api.Request, show func(api.Event)) (*api.Reply, error) {
	defer context.AfterFunc(ctx, func() { l.conn.Close() })()
	if err := l.enc.Encode(q); err != nil {
		return nil, &LostError{l.address, err}
	}
	for {
		var e api.Event
		if err := l.dec.Decode(&e); err != nil {
			return nil, &LostError{l.address, err}
		}
		switch {
		case e.Failed != nil:
			return nil, e.Failed
		case e.Reply != nil:
			return e.Reply, nil
		case !e.Alive:
			show(e)
		}
	}
}

// take returns an unused connection, and whether it served a request before.
func (c *Client) take(ctx context.Context) (l *link, used bool, err error) {
	c.mu.Lock()
	if n := len(c.free); n > 0 {
		l = c.free[n-1]
		c.free = c.free[:n-1]
		c.mu.Unlock()
		return l, true, nil
	}
	c.mu.Unlock()
	l, err = c.connect(ctx)
	return l, false, err
}

// connect opens a connection to an engine of this version, which it starts if that is
// allowed and necessary.
func (c *Client) connect(ctx context.Context) (*link, error) {
	address, token, dir, err := c.target()
	if err != nil {
		return nil, err
	}
	l, err := dial(ctx, address, token)
	if dir == "" {
		return l, err
	}
	var gone *UnreachableError
	var old *VersionError
	switch {
	case err == nil && (!l.hello.Stale || l.hello.Working > 0):
		return l, nil
	case err == nil || errors.As(err, &old):
		if old != nil && old.Status.Working > 0 {
			return nil, err // not in the middle of somebody's work
		}
		if l != nil {
			l.conn.Close()
		}
		c.say("the engine that runs is of an older build: starting it again")
		if err := c.stop(ctx, address, token); err != nil {
			return nil, err
		}
	case !errors.As(err, &gone):
		return nil, err
	}
	if c.Direct {
		return c.start(ctx, dir)
	}
	if err := c.command(ctx); err != nil {
		return nil, err
	}
	return dial(ctx, address, token)
}

// dial opens a connection. If no engine answers the error is an *UnreachableError; if one of
// another version does, a *VersionError.
func dial(ctx context.Context, address, token string) (*link, error) {
	network, at, ok := strings.Cut(address, ":")
	if !ok || network != "unix" && network != "tcp" || at == "" {
		return nil, fmt.Errorf("client: address %q, expected unix:PATH or tcp:HOST:PORT", address)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, network, at)
	if err != nil {
		if context.Cause(ctx) == context.Canceled {
			return nil, context.Canceled
		}
		return nil, &UnreachableError{address, err}
	}
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	l := &link{conn: conn, enc: gob.NewEncoder(conn), dec: gob.NewDecoder(conn), address: address}
	if _, err := conn.Write([]byte(api.Preamble(token))); err != nil {
		conn.Close()
		return nil, &UnreachableError{address, err}
	}
	var e api.Event
	switch err := l.dec.Decode(&e); {
	case err == nil && e.Failed != nil:
		conn.Close()
		return nil, fmt.Errorf("client: the engine at %s refuses this program: %w", address, e.Failed)
	case err != nil || e.Hello == nil:
		conn.Close()
		if errors.Is(ctx.Err(), context.Canceled) {
			return nil, context.Canceled
		}
		return nil, &UnreachableError{address, fmt.Errorf("what answers is no engine: %w", err)}
	}
	l.hello = *e.Hello
	if l.hello.Protocol != api.Protocol {
		conn.Close()
		return nil, &VersionError{address, l.hello}
	}
	return l, nil
}

// reach opens a connection to the running engine. It starts none.
func (c *Client) reach(ctx context.Context) (*link, error) {
	address, token, _, err := c.target()
	if err != nil {
		return nil, err
	}
	return dial(ctx, address, token)
}

// Status returns the status of the running engine. It starts none: if no engine answers the
// error is an *UnreachableError.
func (c *Client) Status(ctx context.Context) (api.Status, error) {
	l, err := c.reach(ctx)
	if err != nil {
		return api.Status{}, err
	}
	defer l.conn.Close()
	r, err := l.exchange(ctx, api.Request{Status: &api.Nothing{Set: true}}, func(api.Event) {})
	if err != nil {
		return api.Status{}, err
	}
	if r.Status == nil {
		return api.Status{}, &LostError{l.address, errors.New("its answer has no status")}
	}
	return *r.Status, nil
}

// Hold keeps the running engine from ending as idle until ctx ends. It returns once the
// engine has confirmed. The channel is closed when ctx or the engine ends. No running engine
// is an *UnreachableError.
func (c *Client) Hold(ctx context.Context) (ended <-chan struct{}, err error) {
	l, err := c.reach(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := l.exchange(ctx, api.Request{Hold: &api.Nothing{Set: true}}, func(api.Event) {}); err != nil {
		l.conn.Close()
		return nil, err
	}
	end := make(chan struct{})
	go func() {
		defer close(end)
		defer context.AfterFunc(ctx, func() { l.conn.Close() })()
		var e api.Event
		_ = l.dec.Decode(&e) // nothing comes until either side ends it
		l.conn.Close()
	}()
	return end, nil
}

// Stop ends the running engine and returns once nothing answers at its address, or with the
// error of ctx. No running engine is an *UnreachableError, one of another version a
// *VersionError.
func (c *Client) Stop(ctx context.Context) error {
	address, token, _, err := c.target()
	if err != nil {
		return err
	}
	return c.stop(ctx, address, token)
}

func (c *Client) stop(ctx context.Context, address, token string) error {
	l, err := dial(ctx, address, token)
	var old *VersionError
	if errors.As(err, &old) && old.Status.PID > 0 && strings.HasPrefix(address, "unix:") {
		return fmt.Errorf("%w, or \"kill %d\"", err, old.Status.PID)
	}
	if err != nil {
		return err
	}
	_, err = l.exchange(ctx, api.Request{Stop: &api.Nothing{Set: true}}, func(api.Event) {})
	l.conn.Close()
	if err != nil {
		return err
	}
	for {
		l, err := dial(ctx, address, token)
		var gone *UnreachableError
		if errors.As(err, &gone) {
			return nil
		}
		if err == nil {
			l.conn.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("client: the engine at %s has not ended: %w", address, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
