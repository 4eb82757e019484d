package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func message(t testing.TB, kind string, content any) *Message {
	t.Helper()
	m, err := New("session", kind, nil, content)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

const signedByJupyter = "e02a5e08161cd1edd3915b1f9784e9007f40352b828ff62dc2465dbbb55bf3f6"

// TestSignature holds a signature against one that jupyter_client made
// (Session(key=b"secret").sign of these four parts).
func TestSignature(t *testing.T) {
	got := string(sign([]byte("secret"), [][]byte{[]byte(`{"a":1}`), []byte("{}"), []byte("{}"), []byte(`{"b":"é"}`)}))
	if want := signedByJupyter; got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
}

func TestRoundTrip(t *testing.T) {
	parent := message(t, "execute_request", map[string]string{"code": "1"})
	parent.Identities = [][]byte{[]byte("client")}
	m, err := New("s", "execute_reply", parent, map[string]string{"status": "ok"})
	if err != nil {
		t.Fatal(err)
	}
	m.Buffers = [][]byte{{1, 2}, {}}
	got, err := Decode([]byte("key"), Encode([]byte("key"), m))
	if err != nil {
		t.Fatal(err)
	}
	if got.Header != m.Header || got.ParentID() != parent.Header.ID || string(got.Identities[0]) != "client" || string(got.Content) != `{"status":"ok"}` || len(got.Buffers) != 2 {
		t.Errorf("got %+v", got)
	}
}

func TestRefusals(t *testing.T) {
	good := Encode([]byte("key"), message(t, "x", 1))
	change := func(i int, text string) [][]byte {
		f := append([][]byte(nil), good...)
		f[i] = []byte(text)
		return f
	}
	for name, frames := range map[string][][]byte{
		"nothing": nil, "no delimiter": good[1:], "few frames": good[:4],
		"signature": change(1, strings.Repeat("0", 64)), "content": change(5, "2"), "empty signature": change(1, ""),
	} {
		if _, err := Decode([]byte("key"), frames); !errors.As(err, new(*FrameError)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i, text := range map[int]string{2: "[]", 3: "{", 4: "x", 5: ""} {
		if _, err := Decode(nil, change(i, text)); !errors.As(err, new(*FrameError)) {
			t.Errorf("frame %d = %q: %v", i, text, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	join := func(frames [][]byte) []byte { return bytes.Join(frames, []byte{0xff}) }
	f.Add(join(Encode(nil, message(f, "x", 1))), []byte(""))
	f.Add(join(Encode([]byte("k"), message(f, "x", 1))), []byte("k"))
	f.Fuzz(func(t *testing.T, data, key []byte) {
		m, err := Decode(key, bytes.Split(data, []byte{0xff}))
		if err != nil {
			return
		}
		again, err := Decode(key, Encode(key, m))
		if err != nil || again.Header != m.Header {
			t.Errorf("decoded, encoded, decoded: %v", err)
		}
	})
}

func FuzzFrame(f *testing.F) {
	f.Add([]byte{0, 3, 'a', 'b', 'c'})
	f.Add([]byte{2, 0, 0, 0, 0, 0, 0, 0, 2, 'a', 'b'})
	f.Add([]byte{2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, body, err := readFrame(bytes.NewReader(data), 1<<20); err == nil && len(body) > len(data) {
			t.Errorf("%d bytes out of %d", len(body), len(data))
		}
	})
}

// serve starts a server on sockets in a folder and a client of it.
func serve(t *testing.T, h Handlers, receive func(string, *Message)) (*Connection, *Server, *Client) {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "wire") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	c := &Connection{Transport: "ipc", IP: filepath.Join(dir, "k"), ShellPort: 1, ControlPort: 2, StdinPort: 3, IOPubPort: 4, HBPort: 5, Key: "secret"}
	s, err := Listen(c, "server", h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(0) })
	cl, err := Dial(t.Context(), c, receive)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return c, s, cl
}

func TestServerAndClient(t *testing.T) {
	var s *Server
	got := make(chan string, 10)
	ready := make(chan struct{})
	_, s, cl := serve(t, Handlers{Shell: func(m *Message) {
		<-ready
		reply, _ := New("server", "reply", m, map[string]int{"n": 1})
		s.Send("shell", reply)
	}, Control: func(*Message) {}, Stdin: func(*Message) {}}, func(channel string, m *Message) {
		got <- channel + " " + m.Header.Type + " " + m.ParentID()
	})
	close(ready)
	if first := <-got; !strings.HasPrefix(first, "iopub iopub_welcome") {
		t.Errorf("first message: %q", first)
	}
	id, err := cl.Send("shell", "request", nil, map[string]int{})
	if err != nil {
		t.Fatal(err)
	}
	if answer := <-got; answer != "shell reply "+id {
		t.Errorf("got %q, want the reply to %s", answer, id)
	}
}

// TestNothingLost publishes faster than the client takes: 200 messages of 200 KB,
// then many small ones, and closes at once.
func TestNothingLost(t *testing.T) {
	const large, small = 200, 20000
	var n atomic.Int64
	order := int64(0)
	welcome, done := make(chan struct{}), make(chan struct{})
	_, s, _ := serve(t, Handlers{Shell: func(*Message) {}, Control: func(*Message) {}, Stdin: func(*Message) {}}, func(_ string, m *Message) {
		if m.Header.Type == "iopub_welcome" {
			close(welcome)
			return
		}
		if m.Header.Type != fmt.Sprint("m", order) {
			t.Errorf("got %s, want m%d", m.Header.Type, order)
		}
		order++
		if n.Add(1) == large+small {
			close(done)
		}
		if order < 20 {
			time.Sleep(5 * time.Millisecond)
		}
	})
	<-welcome
	text := strings.Repeat("x", 200_000)
	for i := range large + small {
		if i == large {
			text = "x"
		}
		s.Publish(message(t, fmt.Sprint("m", i), text), "topic")
	}
	s.Close(time.Hour)
	<-done
}

// TestGarbage connects with things that are no ZMTP: the server goes on serving.
func TestGarbage(t *testing.T) {
	refused := make(chan error, 10)
	got := make(chan string, 10)
	c, _, cl := serve(t, Handlers{Shell: func(m *Message) { got <- m.Header.Type }, Control: func(*Message) {}, Stdin: func(*Message) {},
		Refused: func(_ string, err error) { refused <- err }}, func(string, *Message) {})
	greeting := append([]byte{0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 0, 'N', 'U', 'L', 'L'}, make([]byte, 48)...)
	huge := binary.BigEndian.AppendUint64([]byte{2}, 1<<62)
	for _, junk := range [][]byte{nil, []byte("GET / HTTP/1.1\r\n\r\n"), bytes.Repeat([]byte{0xff}, 1000), greeting, append(append([]byte(nil), greeting...), huge...)} {
		network, address := c.address(c.ShellPort)
		conn, err := net.Dial(network, address)
		if err != nil {
			t.Fatal(err)
		}
		conn.Write(junk)
		defer conn.Close()
	}
	// A peer that greets well and then sends no message, or an unsigned one.
	m := message(t, "evil", 1)
	cl.peers["shell"].send([][]byte{[]byte("nothing")})
	cl.peers["shell"].send(Encode([]byte("other key"), m))
	for range 2 {
		<-refused
	}
	cl.Send("shell", "good", nil, 1)
	if kind := <-got; kind != "good" {
		t.Errorf("got %q", kind)
	}
}

func TestReadConnection(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.json")
	for text, want := range map[string]string{
		`{"transport":"tcp","ip":"127.0.0.1","signature_scheme":"hmac-sha256"}`: "",
		`{"transport":"udp"}`:                               `transport "udp", want tcp or ipc`,
		`{"transport":"tcp","signature_scheme":"hmac-md5"}`: `signature_scheme "hmac-md5", want hmac-sha256`,
		`{`: "unexpected end",
	} {
		os.WriteFile(path, []byte(text), 0o600)
		_, err := ReadConnection(path)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
