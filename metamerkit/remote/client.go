package remote

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// unixHost is what requests over a unix socket call their host.
const unixHost = "metamers-engine"

// Client asks an engine in another process. It is an api.Engine, safe for use by
// several goroutines.
type Client struct {
	address string // for errors
	token   string
	far     bool // on another machine, as far as can be told
	http    *http.Client
}

// Dial returns a client for an address, "unix:PATH" or "tcp:HOST:PORT", without
// connecting. The token is for TCP.
func Dial(address, token string) (*Client, error) {
	network, place, ok := strings.Cut(address, ":")
	if !ok || network != "unix" && network != "tcp" || place == "" {
		return nil, fmt.Errorf("remote: address %q, expected unix:PATH or tcp:HOST:PORT", address)
	}
	d := &net.Dialer{Timeout: 5 * time.Second}
	return &Client{address: address, token: token, far: network == "tcp", http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, network, place) },
	}}}, nil
}

// UnreachableError says that no engine answers at an address.
type UnreachableError struct {
	Address string
	Err     error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("remote: no engine answers at %s: %v", e.Address, e.Err)
}

// Unwrap returns what the network said.
func (e *UnreachableError) Unwrap() error { return e.Err }

// VersionError says that the engine that runs is of another version.
type VersionError struct {
	Address string
	Status  Status
}

func (e *VersionError) Error() string {
	if strings.HasPrefix(e.Address, "tcp:") { // not ours to start again
		return fmt.Sprintf("remote: the engine at %s (process %d, since %s) speaks protocol %d, this program %d: start it there from the version that is here",
			e.Address, e.Status.PID, e.Status.Started.Format(time.DateTime), e.Status.Protocol, Protocol)
	}
	return fmt.Sprintf("remote: the engine that runs (process %d, since %s) speaks protocol %d, this program %d: stop it with \"metamers engine stop\"; the next request starts the right one",
		e.Status.PID, e.Status.Started.Format(time.DateTime), e.Status.Protocol, Protocol)
}

// LostError says that the engine ended while it worked.
type LostError struct {
	Address string
	Err     error
}

func (e *LostError) Error() string {
	return fmt.Sprintf("remote: the engine at %s ended while it worked (%v): what was saved is kept, and the same request goes on from there; its log says why", e.Address, e.Err)
}

// Unwrap returns what the network said.
func (e *LostError) Unwrap() error { return e.Err }

func (c *Client) do(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var content io.Reader
	if body != nil {
		var b bytes.Buffer
		if err := gob.NewEncoder(&b).Encode(body); err != nil {
			return nil, fmt.Errorf("remote: %w", err)
		}
		content = &b
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+unixHost+path, content)
	if err != nil {
		return nil, fmt.Errorf("remote: %w", err)
	}
	r.Header.Set("Content-Type", contentType)
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, &UnreachableError{c.address, err}
	}
	if resp.StatusCode/100 != 2 {
		defer resp.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 500)) // what came is said either way
		return nil, fmt.Errorf("remote: the engine at %s answers %s: %s", c.address, resp.Status, strings.TrimSpace(string(text)))
	}
	return resp, nil
}

// Status asks the engine of itself. An engine of another version is a
// *VersionError, none at all an *UnreachableError.
func (c *Client) Status(ctx context.Context) (Status, error) {
	resp, err := c.do(ctx, http.MethodGet, pathHello, nil)
	if err != nil {
		return Status{}, err
	}
	defer resp.Body.Close()
	var st Status
	if err := gob.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&st); err != nil {
		return Status{}, &UnreachableError{c.address, fmt.Errorf("what answers is no engine: %w", err)}
	}
	if st.Protocol != Protocol {
		return st, &VersionError{c.address, st}
	}
	return st, nil
}

// Hold keeps the engine alive until ctx ends or the engine does, which closes ended.
// It returns when the engine has taken note.
func (c *Client) Hold(ctx context.Context) (ended <-chan struct{}, err error) {
	resp, err := c.do(ctx, http.MethodPost, pathHold, nil)
	if err != nil {
		return nil, err
	}
	end := make(chan struct{})
	go func() {
		defer close(end)
		_, _ = io.Copy(io.Discard, resp.Body) // until either side ends it
		resp.Body.Close()
	}()
	return end, nil
}

// Stop asks the engine to end and waits until nothing answers.
func (c *Client) Stop(ctx context.Context) error {
	resp, err := c.do(ctx, http.MethodPost, pathStop, nil)
	if err != nil {
		return err
	}
	resp.Body.Close()
	for {
		_, err := c.Status(ctx)
		var gone *UnreachableError
		if errors.As(err, &gone) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("remote: the engine at %s has not ended: %w", c.address, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Synthesize implements api.Engine. Extra is left to the engine; it is asked for what is
// kept here of the run of a far one.
func (c *Client) Synthesize(ctx context.Context, q api.Synthesis) (*metamer.Run, error) {
	if c.far {
		return c.synthesizeFar(ctx, q)
	}
	e, err := c.events(ctx, pathSynth, packSynthesis(q), q.Progress, q.Warn)
	if err != nil {
		return nil, err
	}
	return c.unpack(e)
}

// unpack returns the run of an answer that is to have one.
func (c *Client) unpack(e event) (*metamer.Run, error) {
	if e.Run == nil {
		return nil, c.odd()
	}
	return e.Run.Unpack()
}

// Evaluate implements api.Engine.
func (c *Client) Evaluate(ctx context.Context, q api.Evaluation) (metamer.Rows, error) {
	w := packEvaluation(q)
	if c.far {
		if err := c.lighten(ctx, q.Images, &w); err != nil {
			return nil, err
		}
	}
	e, err := c.events(ctx, pathEval, w, q.Progress, q.Warn)
	if err != nil {
		return nil, err
	}
	if e.Rows == nil {
		return nil, c.odd()
	}
	return e.Rows.Unpack()
}

// Batch implements api.Engine.
func (c *Client) Batch(ctx context.Context, q api.Batch) (int, error) {
	e, err := c.events(ctx, pathBatch, q, nil, nil)
	if err != nil {
		return 0, err
	}
	if e.Batch == nil {
		return 0, c.odd()
	}
	return e.Batch.Images, nil
}

// Models implements api.Engine.
func (c *Client) Models(ctx context.Context) ([]api.Model, error) {
	e, err := c.events(ctx, pathModels, struct{ Nothing bool }{true}, nil, nil)
	if err != nil {
		return nil, err
	}
	if e.Models == nil {
		return nil, c.odd()
	}
	return e.Models.Models, nil
}

func (c *Client) odd() error {
	return &LostError{c.address, errors.New("its last word answers another question")}
}

// events sends a request and reads events until the last.
func (c *Client) events(ctx context.Context, path string, body any, show func(metamer.Progress), warn func(string)) (event, error) {
	resp, err := c.do(ctx, http.MethodPost, path, body)
	if err != nil {
		return event{}, err
	}
	defer resp.Body.Close()
	d := gob.NewDecoder(resp.Body)
	for {
		var e event
		if err := d.Decode(&e); err != nil {
			if ctx.Err() != nil {
				return event{}, ctx.Err()
			}
			return event{}, &LostError{c.address, err}
		}
		switch {
		case e.Alive:
		case e.Progress != nil:
			if show != nil {
				p := e.Progress.Progress
				p.Preview = e.Progress.Preview
				if e.Progress.Small != nil {
					p.Preview = large(e.Progress.Small)
				}
				show(p)
			}
		case e.Warning != "":
			if warn != nil {
				warn(e.Warning)
			}
		case e.Failed != nil:
			return event{}, e.Failed
		default:
			return e, nil
		}
	}
}
