package errand

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// Client is a desk in another process. It is safe for use by several goroutines.
type Client struct {
	// Program has the desk started where there is none: the command metamers (default:
	// METAMERS_PROGRAM, then the one on PATH).
	Program string
	// Say is told what goes on while the desk starts (default: standard error).
	Say io.Writer

	mu   sync.Mutex
	free []*link
}

// link is a connection.
type link struct {
	conn *net.UnixConn
	enc  *gob.Encoder
	dec  *gob.Decoder
}

// Do implements Desk. The engine is started where none runs, and again where its
// program was replaced since. When ctx ends Do returns without the desk's last word.
func (c *Client) Do(ctx context.Context, q Request, show func(Event)) (*Reply, error) {
	l, kept, err := c.take(ctx)
	if err != nil {
		return nil, err
	}
	heard := false
	reply, err := l.until(ctx, q, func(e Event) { heard = true; show(e) })
	var failed *Failure
	answered := err == nil || errors.As(err, &failed)
	if ctx.Err() == nil && answered {
		c.mu.Lock()
		c.free = append(c.free, l)
		c.mu.Unlock()
		return reply, err
	}
	l.conn.Close()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if kept && !heard { // that engine has ended since it was asked last
		c.mu.Lock()
		c.free = nil
		c.mu.Unlock()
		return c.Do(ctx, q, show)
	}
	return nil, err
}

// until asks, and closes the connection when ctx ends: then the desk ends the work.
func (l *link) until(ctx context.Context, q Request, show func(Event)) (*Reply, error) {
	defer context.AfterFunc(ctx, func() { l.conn.Close() })()
	return l.ask(q, show)
}

func (l *link) ask(q Request, show func(Event)) (*Reply, error) {
	if err := l.enc.Encode(q); err != nil {
		return nil, lost(err)
	}
	for {
		var e Event
		if err := l.dec.Decode(&e); err != nil {
			return nil, lost(err)
		}
		switch {
		case e.Failed != nil:
			return nil, e.Failed
		case e.Reply != nil:
			return e.Reply, nil
		default:
			show(e)
		}
	}
}

func lost(err error) error {
	return fmt.Errorf("the engine ended while it worked (%w): what was saved is kept, and the same cell goes on from there", err)
}

// take returns a connection that nobody uses, and whether it was used before.
func (c *Client) take(ctx context.Context) (l *link, kept bool, err error) {
	c.mu.Lock()
	if n := len(c.free); n > 0 {
		l = c.free[n-1]
		c.free = c.free[:n-1]
		c.mu.Unlock()
		return l, true, nil
	}
	c.mu.Unlock()
	dir, err := Here()
	if err != nil {
		return nil, false, err
	}
	l, hello, err := dial(Socket(dir))
	if err == nil && hello.Protocol == Protocol && (!hello.Stale || hello.Working > 0) {
		return l, false, nil
	}
	if err == nil {
		l.conn.Close()
		if hello.Working > 0 {
			return nil, false, fmt.Errorf("the engine that runs (process %d) speaks protocol %d, this program %d, and is at work: stop it with \"metamers engine stop\"", hello.PID, hello.Protocol, Protocol)
		}
	}
	if err := c.start(ctx); err != nil {
		return nil, false, err
	}
	if l, hello, err = dial(Socket(dir)); err != nil {
		return nil, false, fmt.Errorf("the engine does not answer: %w", err)
	}
	if hello.Protocol != Protocol {
		l.conn.Close()
		return nil, false, fmt.Errorf("the engine's program speaks protocol %d, this one %d: build it anew (make lab-setup)", hello.Protocol, Protocol)
	}
	return l, false, nil
}

func dial(path string) (*link, Hello, error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, Hello{}, err
	}
	l := &link{conn, gob.NewEncoder(conn), gob.NewDecoder(conn)}
	var e Event
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	if err := l.dec.Decode(&e); err != nil || e.Hello == nil {
		conn.Close()
		return nil, Hello{}, fmt.Errorf("what answers at %s is no desk: %v", path, err)
	}
	_ = conn.SetReadDeadline(time.Time{})
	return l, *e.Hello, nil
}

// start has the command metamers start the engine and waits until it answers.
func (c *Client) start(ctx context.Context) error {
	program, err := Program(c.Program)
	if err != nil {
		return err
	}
	say := c.Say
	if say == nil {
		say = os.Stderr
	}
	said := &words{say: say}
	cmd := exec.CommandContext(ctx, program, "engine", "start", "--backend="+Backend())
	cmd.Stdout, cmd.Stderr = io.Discard, said
	cmd.WaitDelay = 100 * time.Millisecond // what it started may hold its streams open
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if text := strings.TrimSpace(said.last.String()); text != "" {
			return errors.New(text)
		}
		return fmt.Errorf("starting the engine: %w", err)
	}
	return nil
}

// words passes on what the command metamers says, but for why it failed, which it says
// last: that becomes an error, and is not to be read twice.
type words struct {
	say  io.Writer
	last bytes.Buffer // without "metamers: "
}

func (w *words) Write(p []byte) (int, error) {
	if w.last.Len() == 0 {
		text, found := bytes.CutPrefix(p, []byte("metamers: "))
		if !found {
			before, after, found := bytes.Cut(p, []byte("\nmetamers: "))
			if !found {
				return w.say.Write(p)
			}
			if _, err := w.say.Write(append(before, '\n')); err != nil {
				return 0, err
			}
			text = after
		}
		w.last.Write(text)
		return len(p), nil
	}
	return w.last.Write(p)
}
