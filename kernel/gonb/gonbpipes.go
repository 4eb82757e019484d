package gonb

import (
	"encoding/base64"
	"encoding/gob"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/janpfeifer/gonb/gonbui/protocol"

	"github.com/ensemble-metamers/metamers/kernel/session"
)

// gonbPipes are the two named pipes over which gonbui, GoNB's own package for
// displays, talks to a kernel. They end here and not at GoNB, which stops reading
// when the program ends and so loses what is in the pipe.
type gonbPipes struct {
	paths [2]string // to the kernel, to the program
	to    *os.File
	from  *os.File
	raw   syscall.RawConn // of to
	stdin *os.File
	out   session.Output
	drain func()          // shows what was written before
	known map[string]bool // display identifiers shown already

	mu      sync.Mutex
	changed *sync.Cond // signals a change of handled or ended
	taken   int        // number of bytes that the decoder has read
	handled int        // number of bytes whose messages are shown
	ended   bool       // the decoder reads no more
	closed  bool
}

var gobTypes sync.Once

func newGonbPipes(dir, name string, out session.Output, drain func(), stdin *os.File) (*gonbPipes, error) {
	gobTypes.Do(func() {
		gob.Register(map[string]any{})
		gob.Register([]any{})
	})
	g := &gonbPipes{out: out, drain: drain, stdin: stdin, known: map[string]bool{}}
	g.changed = sync.NewCond(&g.mu)
	for i, end := range []string{"to", "from"} {
		g.paths[i] = filepath.Join(dir, "gonbui-"+name+"-"+end)
		if err := syscall.Mkfifo(g.paths[i], 0o600); err != nil {
			return nil, fmt.Errorf("pipe for gonbui: %w", err)
		}
		// Open for both directions: nobody waits for the other, and no end is seen.
		f, err := os.OpenFile(g.paths[i], os.O_RDWR|syscall.O_NONBLOCK, 0)
		if err != nil {
			return nil, fmt.Errorf("pipe for gonbui: %w", err)
		}
		if i == 0 {
			g.to = f
			if g.raw, err = f.SyscallConn(); err != nil {
				return nil, err
			}
		} else {
			g.from = f
		}
	}
	go g.serve()
	return g, nil
}

func (g *gonbPipes) env() map[string]string {
	return map[string]string{protocol.GONB_PIPE_ENV: g.paths[0], protocol.GONB_PIPE_BACK_ENV: g.paths[1]}
}

// Read is the decoder's source. When the decoder asks for more, all that it read before is
// shown. The lock is held while bytes are read and counted, so that finish sees each byte
// either in the pipe or in taken.
func (g *gonbPipes) Read(b []byte) (n int, err error) {
	g.mu.Lock()
	g.handled = g.taken
	g.changed.Broadcast()
	g.mu.Unlock()
	closed := g.raw.Read(func(fd uintptr) bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		n, err = syscall.Read(int(fd), b)
		g.taken += max(n, 0)
		return err != syscall.EAGAIN && err != syscall.EINTR // false: wait until there is something
	})
	if closed != nil {
		return 0, closed
	}
	if err == nil && n == 0 {
		err = io.EOF
	}
	return max(n, 0), err
}

func (g *gonbPipes) serve() {
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.ended = true
		g.changed.Broadcast()
	}()
	in := gob.NewDecoder(g)
	out := gob.NewEncoder(g.from)
	for {
		var d protocol.DisplayData
		if err := in.Decode(&d); err != nil {
			g.mu.Lock()
			closed := g.closed
			g.mu.Unlock()
			if !closed {
				g.out.Stream("stderr", fmt.Sprintf("displays of gonbui can no longer be read: %v\n", err))
			}
			return
		}
		g.drain()
		if r, ok := d.Data[protocol.MIMEJupyterInput].(protocol.InputRequest); ok {
			go g.input(r)
			continue
		}
		if v, ok := d.Data[protocol.MIMECommValue].(protocol.CommValue); ok {
			if v.Address == protocol.GonbuiSyncAddress {
				out.Encode(&protocol.CommValue{Address: protocol.GonbuiSyncAckAddress, Value: v.Value})
			}
			continue
		}
		if _, ok := d.Data[protocol.MIMECommSubscribe]; ok {
			continue // widgets need a front end with GoNB's JavaScript
		}
		g.show(d)
	}
}

func (g *gonbPipes) show(d protocol.DisplayData) {
	data := map[string]any{}
	for kind, content := range d.Data {
		if b, ok := content.([]byte); ok {
			data[string(kind)] = base64.StdEncoding.EncodeToString(b)
		} else {
			data[string(kind)] = content
		}
	}
	b := session.Bundle{Data: withText(data), Metadata: d.Metadata}
	if d.DisplayID == "" {
		g.out.Display(b)
		return
	}
	b.Transient = map[string]any{"display_id": d.DisplayID}
	if g.known[d.DisplayID] {
		g.out.Update(b)
	} else {
		g.known[d.DisplayID] = true
		g.out.Display(b)
	}
}

func (g *gonbPipes) input(r protocol.InputRequest) {
	text, err := g.out.Input(r.Prompt, r.Password)
	if err == nil && g.stdin != nil {
		g.stdin.WriteString(text + "\n")
	}
}

// finish waits until what the program had written is shown.
func (g *gonbPipes) finish() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for until := g.taken + available(g.raw); g.handled < until && !g.ended; {
		g.changed.Wait()
	}
}

func (g *gonbPipes) close() {
	g.mu.Lock()
	closed := g.closed
	g.closed = true
	g.mu.Unlock()
	if closed {
		return
	}
	g.to.Close() // without the lock, because it waits until Read has returned
	g.from.Close()
	for _, p := range g.paths {
		os.Remove(p)
	}
}
