package wire

import (
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/go-zeromq/zmq4"
)

// A Server has the sockets of a kernel. Handlers given to Listen are called from
// the goroutine of the peer that sent the message: messages of one client on one
// channel come in order.
type Server struct {
	key       []byte
	session   string
	channels  map[string]*channel // shell, control, stdin, iopub, heartbeat
	listeners []net.Listener
	refused   func(channel string, err error)
}

// Handlers are what a server calls. Refused, which may be nil, hears of frames
// that are no message.
type Handlers struct {
	Shell, Control, Stdin func(*Message)
	Refused               func(channel string, err error)
}

// A channel is a socket with its peers, by identity.
type channel struct {
	mu    sync.Mutex
	peers map[*peer]bool
	byID  map[string]*peer
	subs  map[*peer]map[string]bool // iopub: topics
	// last is the newest message published under each topic that somebody who
	// subscribes late has to know.
	closed bool
}

// Listen binds the sockets of the connection.
func Listen(c *Connection, session string, h Handlers) (*Server, error) {
	s := &Server{key: []byte(c.Key), session: session, channels: map[string]*channel{}, refused: h.Refused}
	if s.refused == nil {
		s.refused = func(string, error) {}
	}
	for _, x := range []struct {
		name string
		port int
		kind zmq4.SocketType
		on   func(*channel, *peer, [][]byte)
	}{
		{"shell", c.ShellPort, zmq4.Router, s.route("shell", h.Shell)},
		{"control", c.ControlPort, zmq4.Router, s.route("control", h.Control)},
		{"stdin", c.StdinPort, zmq4.Router, s.route("stdin", h.Stdin)},
		{"iopub", c.IOPubPort, zmq4.XPub, s.subscribe},
		{"heartbeat", c.HBPort, zmq4.Rep, func(_ *channel, p *peer, frames [][]byte) { p.send(frames) }},
	} {
		network, address := c.address(x.port)
		l, err := net.Listen(network, address)
		if err != nil {
			s.Close(0)
			return nil, fmt.Errorf("%s socket: %w", x.name, err)
		}
		if network == "unix" {
			os.Chmod(address, 0o600)
		}
		s.listeners = append(s.listeners, l)
		ch := &channel{peers: map[*peer]bool{}, byID: map[string]*peer{}, subs: map[*peer]map[string]bool{}}
		s.channels[x.name] = ch
		go ch.accept(l, x.kind, x.on)
	}
	return s, nil
}

func (ch *channel) accept(l net.Listener, kind zmq4.SocketType, on func(*channel, *peer, [][]byte)) {
	for {
		c, err := l.Accept()
		if err != nil {
			ch.mu.Lock()
			closed := ch.closed
			ch.mu.Unlock()
			if closed {
				return
			}
			time.Sleep(50 * time.Millisecond) // out of file descriptors, say
			continue
		}
		go func() {
			p, err := open(c, kind, "", true)
			if err != nil {
				return
			}
			if !ch.add(p) {
				p.close()
				return
			}
			defer ch.remove(p)
			for {
				frames, err := p.recv()
				if err != nil {
					return
				}
				on(ch, p, frames)
			}
		}()
	}
}

func (ch *channel) add(p *peer) bool {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.closed {
		return false
	}
	if p.id == "" {
		p.id = NewID()
	}
	ch.peers[p], ch.byID[p.id] = true, p
	return true
}

func (ch *channel) remove(p *peer) {
	p.close()
	ch.mu.Lock()
	defer ch.mu.Unlock()
	delete(ch.peers, p)
	delete(ch.subs, p)
	if ch.byID[p.id] == p {
		delete(ch.byID, p.id)
	}
}

func (s *Server) route(name string, handle func(*Message)) func(*channel, *peer, [][]byte) {
	return func(_ *channel, p *peer, frames [][]byte) {
		m, err := Decode(s.key, frames)
		if err != nil {
			s.refused(name, err)
			return
		}
		m.Identities = append([][]byte{[]byte(p.id)}, m.Identities...)
		handle(m)
	}
}

// subscribe keeps the topics of a peer and welcomes it (JEP 65).
func (s *Server) subscribe(ch *channel, p *peer, frames [][]byte) {
	if len(frames) != 1 || len(frames[0]) == 0 || frames[0][0] > 1 {
		return
	}
	topic := string(frames[0][1:])
	ch.mu.Lock()
	if ch.subs[p] == nil {
		ch.subs[p] = map[string]bool{}
	}
	if frames[0][0] == 0 {
		delete(ch.subs[p], topic)
		ch.mu.Unlock()
		return
	}
	ch.subs[p][topic] = true
	ch.mu.Unlock()
	if m, err := New(s.session, "iopub_welcome", nil, map[string]string{"subscription": topic}); err == nil {
		m.Identities = [][]byte{[]byte(topic)}
		p.send(Encode(s.key, m))
	}
}

// Send sends m on shell, control or stdin to the peer its first identity names.
// A peer that has gone gets nothing, as with a ROUTER socket.
func (s *Server) Send(name string, m *Message) {
	if len(m.Identities) == 0 {
		return
	}
	ch := s.channels[name]
	ch.mu.Lock()
	p := ch.byID[string(m.Identities[0])]
	ch.mu.Unlock()
	if p != nil {
		p.send(Encode(s.key, m)[1:])
	}
}

// Publish sends m on iopub to everybody who subscribed to a prefix of its topic.
func (s *Server) Publish(m *Message, topic string) {
	m.Identities = [][]byte{[]byte(topic)}
	frames := Encode(s.key, m)
	for _, p := range s.channels["iopub"].subscribed(topic) {
		p.send(frames)
	}
}

func (ch *channel) subscribed(topic string) (to []*peer) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	for p, topics := range ch.subs {
		for t := range topics {
			if len(topic) >= len(t) && topic[:len(t)] == t {
				to = append(to, p)
				break
			}
		}
	}
	return to
}

// Flush waits until what was sent on the channel left this process, at most d.
func (s *Server) Flush(name string, d time.Duration) {
	until := time.Now().Add(d)
	ch := s.channels[name]
	ch.mu.Lock()
	peers := make([]*peer, 0, len(ch.peers))
	for p := range ch.peers {
		peers = append(peers, p)
	}
	ch.mu.Unlock()
	for _, p := range peers {
		p.flush(until)
	}
}

// Close flushes every channel, at most d each, and closes all sockets.
func (s *Server) Close(d time.Duration) {
	for name, ch := range s.channels {
		if d > 0 {
			s.Flush(name, d)
		}
		ch.mu.Lock()
		ch.closed = true
		peers := ch.peers
		ch.peers = map[*peer]bool{}
		ch.mu.Unlock()
		for p := range peers {
			p.close()
		}
	}
	for _, l := range s.listeners {
		l.Close()
	}
}
