// Package wire speaks Jupyter's messaging protocol (version 5.4) over ZeroMQ:
// messages and their HMAC-SHA256 signatures, the five sockets of a kernel
// (Server), and a client of another kernel (Client).
//
// The ZMTP handshake is that of github.com/go-zeromq/zmq4. Its socket patterns
// are not used: its PUB socket gives no way to know that messages were written
// or that somebody subscribed, a peer that greets slowly stops everybody, and a
// frame's length is trusted before anything was authenticated (docs/notes/upstream.md).
// Here each peer has a queue, a writer and a reader of its own; a sender that is
// faster than a peer waits for it, and nothing is dropped.
package wire
