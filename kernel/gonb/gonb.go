// Package gonb is the Go interpreter of the kernel: it has GoNB (a process of its
// own, reached as any Jupyter kernel is) compose and build the programs of cells,
// and runs them itself, so that their streams, displays, input and end are its own.
//
// docs/notes/kernel.md says what this package does instead of GoNB, and why.
package gonb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/ensemble-metamers/metamers/kernel/cell"
	"github.com/ensemble-metamers/metamers/kernel/gopls"
	"github.com/ensemble-metamers/metamers/kernel/live"
	"github.com/ensemble-metamers/metamers/kernel/session"
	"github.com/ensemble-metamers/metamers/kernel/shim"
	"github.com/ensemble-metamers/metamers/kernel/supervisor"
	"github.com/ensemble-metamers/metamers/kernel/wire"
	"github.com/ensemble-metamers/metamers/metamerkit/display/channel"
)

// Options say what the interpreter works with; all are needed.
type Options struct {
	Self     string // the kernel's executable, which has the shims
	Tools    string // folder of gonb, goimports and gopls
	Go       string // the go command
	Checkout string // the module that cells import
	Programs string // folder of the cache of built programs
	Engine   string // the command metamers, which cells start an engine with
	Life     *supervisor.Supervisor
	State    bool // cells are run by a session that remembers
}

const startTime = 20 * time.Second

// An Interpreter is one GoNB process with what belongs to it.
type Interpreter struct {
	o      Options
	socket net.Listener
	live   *live.Session
	pipes  *gonbPipes // for gonbui in the session's cells

	mu      sync.Mutex
	back    *backend          // nil until started, or when it died
	run     *execution        // the running one
	recent  []*execution      // latest last, for outputs of programs that outlive their cell
	sources map[string]source // cells by identifier, for error messages
	seq     int
	closed  bool
	state   bool // cells are run by live
	memory  cell.Memory
	gopls   *gopls.Server
	tried   time.Time // when gopls was started last
	hovers  map[hovered]string
}

// A backend is a GoNB process.
type backend struct {
	client *wire.Client
	pid    int
	died   chan struct{}
	cause  error
	log    *tailBuffer

	mu      sync.Mutex
	replies map[string]chan *wire.Message // by msg_id of the request
}

// New prepares the private folder and starts GoNB in the background.
func New(o Options) (*Interpreter, error) {
	in := &Interpreter{o: o, sources: map[string]source{}, hovers: map[hovered]string{}}
	bin := filepath.Join(o.Life.Dir, "bin")
	for _, d := range []string{bin, in.tmp(), o.Programs} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, err
		}
	}
	for _, name := range shim.Names {
		if err := os.Symlink(o.Self, filepath.Join(bin, name)); err != nil {
			return nil, err
		}
	}
	var err error
	if in.socket, err = net.Listen("unix", in.socketPath()); err != nil {
		return nil, fmt.Errorf("the socket for cells: %w", err)
	}
	os.Chmod(in.socketPath(), 0o600)
	if err := in.newLive(); err != nil {
		return nil, err
	}
	in.state = o.State
	go in.accept()
	if o.State {
		go in.live.Ready() // an error is told by the first cell
	}
	go func() {
		in.ensure() // an error is told by the first cell, which tries again
		in.mu.Lock()
		in.server()
		in.mu.Unlock()
	}()
	return in, nil
}

func (in *Interpreter) tmp() string        { return filepath.Join(in.o.Life.Dir, "tmp") }
func (in *Interpreter) socketPath() string { return filepath.Join(in.o.Life.Dir, "s") }

// ensure returns the running GoNB, starting one if there is none.
func (in *Interpreter) ensure() (*backend, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		return nil, errors.New("the kernel is shutting down")
	}
	if in.back != nil {
		return in.back, nil
	}
	b, err := in.start()
	if err != nil {
		return nil, fmt.Errorf("starting GoNB: %w", err)
	}
	in.back = b
	return b, nil
}

// ready is ensure, but does not wait longer than ctx.
func (in *Interpreter) ready(ctx context.Context) (*backend, *session.Failure) {
	var b *backend
	var err error
	done := make(chan struct{})
	go func() { b, err = in.ensure(); close(done) }()
	select {
	case <-ctx.Done():
		return nil, interrupted()
	case <-done:
	}
	if err != nil {
		return nil, &session.Failure{Name: "KernelError", Value: err.Error()}
	}
	return b, nil
}

func (in *Interpreter) start() (*backend, error) {
	conn := &wire.Connection{Transport: "ipc", IP: filepath.Join(in.o.Life.Dir, "z"), Key: wire.NewID(), Scheme: "hmac-sha256",
		ShellPort: 1, ControlPort: 2, StdinPort: 3, IOPubPort: 4, HBPort: 5}
	for port := 1; port <= 5; port++ {
		os.Remove(fmt.Sprintf("%s-%d", conn.IP, port))
	}
	file := filepath.Join(in.o.Life.Dir, "gonb.json")
	if err := conn.Write(file); err != nil {
		return nil, err
	}
	b := &backend{died: make(chan struct{}), replies: map[string]chan *wire.Message{}, log: &tailBuffer{}}
	cmd := exec.Command(filepath.Join(in.o.Tools, "gonb"), "--raw_error", "--kernel", file)
	cmd.Stdout, cmd.Stderr = b.log, b.log
	cmd.Env = in.environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	errc := make(chan error)
	go func() {
		runtime.LockOSThread() // Pdeathsig looks at the thread
		errc <- in.o.Life.Start(cmd)
		if cmd.Process == nil {
			return
		}
		b.cause = cmd.Wait()
		close(b.died)
		in.mu.Lock()
		if in.back == b {
			in.back = nil
		}
		in.mu.Unlock()
		if b.client != nil {
			b.client.Close()
		}
	}()
	if err := <-errc; err != nil {
		return nil, err
	}
	b.pid = cmd.Process.Pid
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	go func() {
		select {
		case <-b.died:
			cancel()
		case <-ctx.Done():
		}
	}()
	heard := make(chan struct{}, 1)
	client, err := wire.Dial(ctx, conn, func(ch string, m *wire.Message) {
		select {
		case heard <- struct{}{}:
		default:
		}
		in.receive(b, ch, m)
	})
	if err == nil {
		b.client = client
		err = subscribed(ctx, client, heard)
	}
	if err != nil {
		cmd.Process.Kill()
		return nil, fmt.Errorf("%w; it said: %s", err, b.log)
	}
	return b, nil
}

// environment is that of all the interpreter starts.
func (in *Interpreter) environment() []string {
	env := append(os.Environ(),
		"PATH="+filepath.Join(in.o.Life.Dir, "bin")+string(filepath.ListSeparator)+os.Getenv("PATH"),
		"TMPDIR="+in.tmp(),
		channel.SocketEnv+"="+in.socketPath(),
		shim.GoEnv+"="+in.o.Go, shim.ToolsEnv+"="+in.o.Tools, shim.CheckoutEnv+"="+in.o.Checkout, shim.CacheEnv+"="+in.o.Programs,
	)
	if os.Getenv("METAMERS_PROGRAM") == "" {
		env = append(env, "METAMERS_PROGRAM="+in.o.Engine)
	}
	return env
}

// subscribed waits until something comes back: then the subscription holds too,
// because GoNB publishes its status with every answer.
func subscribed(ctx context.Context, c *wire.Client, heard chan struct{}) error {
	for {
		if _, err := c.Send("shell", "kernel_info_request", nil, map[string]any{}); err != nil {
			return err
		}
		select {
		case <-heard:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// request sends a request on the shell channel; its reply comes on the channel
// returned, which forget gives up.
func (b *backend) request(kind string, content any) (id string, reply chan *wire.Message, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	id, err = b.client.Send("shell", kind, nil, content)
	if err != nil {
		return "", nil, err
	}
	reply = make(chan *wire.Message, 1)
	b.replies[id] = reply
	return id, reply, nil
}

func (b *backend) forget(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.replies, id)
}

// receive takes every message of GoNB.
func (in *Interpreter) receive(b *backend, ch string, m *wire.Message) {
	parent := m.ParentID()
	if ch == "shell" {
		b.mu.Lock()
		reply := b.replies[parent]
		delete(b.replies, parent)
		b.mu.Unlock()
		if reply != nil {
			reply <- m
		}
		return
	}
	in.mu.Lock()
	e := in.run
	in.mu.Unlock()
	if e == nil || e.id() != parent {
		return
	}
	switch ch {
	case "iopub":
		e.published(m)
	case "stdin":
		var q struct {
			Prompt   string `json:"prompt"`
			Password bool   `json:"password"`
		}
		if m.Header.Type != "input_request" || json.Unmarshal(m.Content, &q) != nil {
			return
		}
		go func() {
			text, err := e.out.Input(q.Prompt, q.Password)
			if err == nil {
				b.client.Send("stdin", "input_reply", m, map[string]string{"value": text})
			}
		}()
	}
}

// Close ends GoNB and all that runs. The supervisor removes the rest.
func (in *Interpreter) Close() {
	in.mu.Lock()
	in.closed = true
	b := in.back
	in.mu.Unlock()
	in.socket.Close()
	in.live.Close()
	os.RemoveAll(in.pluginDir())
	if b != nil {
		syscall.Kill(-b.pid, syscall.SIGKILL)
	}
}

// tailBuffer keeps the end of what is written to it.
type tailBuffer struct {
	mu   sync.Mutex
	text []byte
}

func (t *tailBuffer) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if n := len(t.text); n > 8192 {
		t.text = append(t.text[:0], t.text[n-4096:]...)
	}
	return len(p), nil
}

func (t *tailBuffer) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
