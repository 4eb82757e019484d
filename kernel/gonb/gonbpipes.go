package gonb

import (
	"encoding/base64"
	"encoding/gob"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/janpfeifer/gonb/gonbui/protocol"

	"github.com/ensemble-metamers/metamers/kernel/session"
)

// gonbPipes are the two named pipes over which gonbui, GoNB's own package for
// displays, talks to a kernel. They end here and not at GoNB, which stops reading
// when the program ends and so loses what is in the pipe.
type gonbPipes struct {
	paths  [2]string // to the kernel, to the program
	to     *os.File
	from   *os.File
	raw    syscall.RawConn
	stdin  *os.File
	out    session.Output
	drain  func() // shows what was written before
	mu     sync.Mutex
	idle   bool // the decoder waits for more
	closed bool
	known  map[string]bool // display identifiers shown already
}

var gobTypes sync.Once

func newGonbPipes(dir, name string, out session.Output, drain func(), stdin *os.File) (*gonbPipes, error) {
	gobTypes.Do(func() {
		gob.Register(map[string]any{})
		gob.Register([]any{})
	})
	g := &gonbPipes{out: out, drain: drain, stdin: stdin, known: map[string]bool{}}
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

// Read is the decoder's source; while it waits, all before was taken care of.
func (g *gonbPipes) Read(b []byte) (int, error) {
	g.mu.Lock()
	g.idle = true
	g.mu.Unlock()
	n, err := g.to.Read(b)
	g.mu.Lock()
	g.idle = false
	g.mu.Unlock()
	return n, err
}

func (g *gonbPipes) serve() {
	in := gob.NewDecoder(g)
	out := gob.NewEncoder(g.from)
	for {
		var d protocol.DisplayData
		if err := in.Decode(&d); err != nil {
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
	for range 2000 {
		g.mu.Lock()
		idle := g.idle
		g.mu.Unlock()
		if idle && available(g.raw) == 0 {
			g.mu.Lock()
			idle = g.idle
			g.mu.Unlock()
			if idle {
				return
			}
		}
		time.Sleep(time.Millisecond)
	}
}

func (g *gonbPipes) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return
	}
	g.closed = true
	g.to.Close()
	g.from.Close()
	for _, p := range g.paths {
		os.Remove(p)
	}
}
