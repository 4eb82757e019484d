package wire

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/go-zeromq/zmq4"
)

// A Client is connected to a kernel's shell, control, stdin and iopub sockets.
// What comes is handed to the function given to Dial, with the channel's name,
// from one goroutine a channel.
type Client struct {
	key     []byte
	Session string
	peers   map[string]*peer
}

// Dial connects to a kernel, trying again until its sockets are there or ctx ends.
func Dial(ctx context.Context, c *Connection, receive func(channel string, m *Message)) (*Client, error) {
	cl := &Client{key: []byte(c.Key), Session: NewID(), peers: map[string]*peer{}}
	id := NewID()
	for _, x := range []struct {
		name string
		port int
		kind zmq4.SocketType
	}{{"iopub", c.IOPubPort, zmq4.Sub}, {"shell", c.ShellPort, zmq4.Dealer}, {"control", c.ControlPort, zmq4.Dealer}, {"stdin", c.StdinPort, zmq4.Dealer}} {
		network, address := c.address(x.port)
		p, err := dial(ctx, network, address, x.kind, id)
		if err != nil {
			cl.Close()
			return nil, fmt.Errorf("%s socket of the kernel behind: %w", x.name, err)
		}
		cl.peers[x.name] = p
		if x.name == "iopub" {
			p.send([][]byte{{1}}) // every topic
		}
	}
	for name, p := range cl.peers {
		go func() {
			defer p.close()
			for {
				frames, err := p.recv()
				if err != nil {
					return
				}
				if m, err := Decode(cl.key, frames); err == nil {
					receive(name, m)
				}
			}
		}()
	}
	return cl, nil
}

func dial(ctx context.Context, network, address string, kind zmq4.SocketType, id string) (*peer, error) {
	var d net.Dialer
	for {
		c, err := d.DialContext(ctx, network, address)
		if err == nil {
			var p *peer
			if p, err = open(c, kind, id, false); err == nil {
				return p, nil
			}
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w (last: %v)", ctx.Err(), err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Send sends a message of the given type on a channel and returns its msg_id.
// parent may be nil.
func (c *Client) Send(channel, kind string, parent *Message, content any) (string, error) {
	m, err := New(c.Session, kind, parent, content)
	if err != nil {
		return "", err
	}
	m.Identities = nil
	c.peers[channel].send(Encode(c.key, m))
	return m.Header.ID, nil
}

// Close closes the connections.
func (c *Client) Close() {
	for _, p := range c.peers {
		p.close()
	}
}
