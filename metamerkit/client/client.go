// Package client reaches an engine in another process (package server): on this machine,
// where it starts one if none runs, or on another machine over TCP with a token. Programs
// of notebook cells link it and are built anew whenever they are edited, so it, and all
// that it imports, is small.
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

// Client is an api.Service in another process. Its zero value is the engine that the
// environment names. It is safe for use by several goroutines.
type Client struct {
	// Address of an engine, "unix:PATH" or "tcp:HOST:PORT" (default: METAMERS_ENGINE, else
	// this user's engine on this machine), and its token (default: METAMERS_ENGINE_TOKEN).
	// Such an engine is never started from here.
	Address, Token string
	// Backend is that of the engine on this machine (see backend.Kind; default:
	// METAMERS_BACKEND, else auto).
	Backend string
	// Program starts an engine where none runs: the command metamers (default:
	// METAMERS_PROGRAM, then the one on PATH).
	Program  string
	Patience time.Duration // how long an engine may take to start; default 60 s
	// Direct has an engine started as a child of this process. Else the command "metamers
	// engine start" starts it, so that it is no descendant of this process: a kernel ends
	// those when a cell is interrupted.
	Direct bool
	// Say, if set, is told that an engine is being started.
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

// target is where the engine is, and the folder of its socket if it may be started.
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

// Do implements api.Service. The engine is started where none runs, and again where its
// program was replaced since. When ctx ends Do returns without the engine's last word.
func (c *Client) Do(ctx context.Context, q api.Request, show func(api.Event)) (*api.Reply, error) {
	l, used, err := c.take(ctx)
	if err != nil {
		return nil, err
	}
	heard := false
	reply, err := l.ask(ctx, q, func(e api.Event) { heard = true; show(e) })
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
	if used && !heard { // that engine has ended since it was asked last
		c.mu.Lock()
		c.free = nil
		c.mu.Unlock()
		return c.Do(ctx, q, show)
	}
	return nil, err
}

// ask sends a request and reads events until the last. It closes the connection when ctx
// ends: then the engine ends the work.
func (l *link) ask(ctx context.Context, q api.Request, show func(api.Event)) (*api.Reply, error) {
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

// take returns a connection that nobody uses, and whether it was used before.
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

// connect opens a connection to an engine of this version, which it starts if it may.
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

// dial opens a connection. No engine is an *UnreachableError, one of another version a
// *VersionError.
func dial(ctx context.Context, address, token string) (*link, error) {
	network, place, ok := strings.Cut(address, ":")
	if !ok || network != "unix" && network != "tcp" || place == "" {
		return nil, fmt.Errorf("client: address %q, expected unix:PATH or tcp:HOST:PORT", address)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, network, place)
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

// reach opens a connection to the engine that runs; none is started.
func (c *Client) reach(ctx context.Context) (*link, error) {
	address, token, _, err := c.target()
	if err != nil {
		return nil, err
	}
	return dial(ctx, address, token)
}

// Status asks the engine that runs of itself.
func (c *Client) Status(ctx context.Context) (api.Status, error) {
	l, err := c.reach(ctx)
	if err != nil {
		return api.Status{}, err
	}
	defer l.conn.Close()
	r, err := l.ask(ctx, api.Request{Status: &api.Nothing{Ask: true}}, func(api.Event) {})
	if err != nil {
		return api.Status{}, err
	}
	if r.Status == nil {
		return api.Status{}, &LostError{l.address, errors.New("its answer has no status")}
	}
	return *r.Status, nil
}

// Hold keeps the engine that runs alive until ctx ends or the engine does, which closes
// ended. It returns when the engine has taken note.
func (c *Client) Hold(ctx context.Context) (ended <-chan struct{}, err error) {
	l, err := c.reach(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := l.ask(ctx, api.Request{Hold: &api.Nothing{Ask: true}}, func(api.Event) {}); err != nil {
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

// Stop asks the engine that runs to end and waits until nothing answers.
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
	_, err = l.ask(ctx, api.Request{Stop: &api.Nothing{Ask: true}}, func(api.Event) {})
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
