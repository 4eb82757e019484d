package live

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/ensemble-metamers/metamers/kernel/live/protocol"
	"github.com/ensemble-metamers/metamers/kernel/session"
	"github.com/ensemble-metamers/metamers/kernel/streams"
	"github.com/ensemble-metamers/metamers/metamerkit/display/channel"
)

// A Router is the output of the cell that runs, or ran last.
type Router struct {
	mu  sync.Mutex
	out session.Output
}

func (r *Router) set(out session.Output) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.out = out
}

func (r *Router) get() session.Output {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out
}

func (r *Router) Stream(name, text string) {
	if out := r.get(); out != nil {
		out.Stream(name, text)
	}
}
func (r *Router) Display(b session.Bundle) { r.get().Display(b) }
func (r *Router) Update(b session.Bundle)  { r.get().Update(b) }
func (r *Router) Result(b session.Bundle)  { r.get().Result(b) }
func (r *Router) Clear(wait bool)          { r.get().Clear(wait) }
func (r *Router) Page(d map[string]string) { r.get().Page(d) }
func (r *Router) Input(prompt string, password bool) (string, error) {
	return r.get().Input(prompt, password)
}

// A process is that of a session.
type process struct {
	cmd      *exec.Cmd
	requests *json.Encoder
	replies  chan protocol.Reply
	late     chan string // cells whose grace is over
	died     chan struct{}
	cause    string // once died
	pumps    []*streams.Pump
	panics   *streams.PanicHold
	writing  sync.Mutex
	number   int64 // of the last request that is answered
}

// startProcess starts the host.
func (s *Session) startProcess() (*process, error) {
	program, renewed, err := s.o.Builder.Host()
	if err != nil {
		return nil, err
	}
	if renewed {
		s.notebook.Renew()
	}
	p := &process{cmd: exec.Command(program), replies: make(chan protocol.Reply, 1), late: make(chan string, 1), died: make(chan struct{}), panics: &streams.PanicHold{Out: s.router, For: time.Minute}}
	var files []*os.File
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	for _, name := range []string{"stdout", "stderr"} {
		x, w, err := streams.NewPump(name, func(name, text string) {
			if name == "stderr" {
				text = p.panics.Pass(text)
			}
			s.router.Stream(name, strip(text))
		})
		if err != nil {
			return nil, err
		}
		p.pumps = append(p.pumps, x)
		files = append(files, w)
	}
	p.cmd.Stdout, p.cmd.Stderr = files[0], files[1]
	hostIn, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	out, hostOut, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	files = append(files, hostIn, hostOut)
	p.cmd.ExtraFiles = []*os.File{hostIn, hostOut}
	p.cmd.Env = append(os.Environ(), s.o.Env...)
	p.cmd.Env = append(p.cmd.Env, channel.SocketEnv+"="+s.socket.Addr().String())
	p.cmd.Dir = s.o.Dir
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true}
	p.requests = json.NewEncoder(in)
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // Pdeathsig looks at the thread
		err := s.o.Start(p.cmd)
		started <- err
		if err != nil {
			return
		}
		err = p.cmd.Wait()
		in.Close()
		switch {
		case err != nil:
			p.cause = err.Error()
		default:
			p.cause = "exit status 0"
		}
		close(p.died)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting the session: %w", err)
	}
	for _, x := range p.pumps {
		go x.Run()
	}
	go func() {
		d := json.NewDecoder(out)
		for {
			var r protocol.Reply
			if d.Decode(&r) != nil {
				out.Close()
				return
			}
			if r.Late == "" {
				p.replies <- r
				continue
			}
			select {
			case p.late <- r.Late:
			default: // of a cell that ended meanwhile
			}
		}
	}()
	return p, nil
}

func (p *process) send(q protocol.Request) error {
	p.writing.Lock()
	defer p.writing.Unlock()
	if q.Kind != protocol.KindInterrupt {
		p.number++
		q.Number = p.number
	}
	return p.requests.Encode(q)
}

// answers reports whether a reply is that of the last request, and not of one that was given up.
func (p *process) answers(r protocol.Reply) bool {
	p.writing.Lock()
	defer p.writing.Unlock()
	return r.Number == p.number
}

// drain shows what was written until now.
func (p *process) drain() {
	for _, x := range p.pumps {
		x.Drain()
	}
}

func (p *process) alive() bool {
	select {
	case <-p.died:
		return false
	default:
		return true
	}
}

// ask sends a request that is answered at once.
func (p *process) ask(q protocol.Request, within time.Duration) (protocol.Reply, error) {
	if err := p.send(q); err != nil {
		return protocol.Reply{}, err
	}
	over := time.After(within)
	for {
		select {
		case r := <-p.replies:
			if p.answers(r) {
				return r, nil
			}
		case <-p.died:
			return protocol.Reply{}, fmt.Errorf("the session has ended")
		case <-over:
			return protocol.Reply{}, fmt.Errorf("the session does not answer")
		}
	}
}

// accept serves the displays of the session's cells.
func (s *Session) accept() {
	for {
		c, err := s.socket.Accept()
		if err != nil {
			return
		}
		go s.serve(c)
	}
}

func (s *Session) serve(c net.Conn) {
	defer c.Close()
	for {
		var m channel.Message
		if channel.Read(c, &m) != nil {
			return
		}
		s.mu.Lock()
		p := s.process
		s.mu.Unlock()
		if p != nil {
			p.drain()
		}
		for kind, content := range m.Data {
			m.Data[kind] = strip(content)
		}
		var a channel.Answer
		var err error
		if m.Kind == channel.Fail {
			s.mu.Lock()
			s.failed = &CellError{strip(m.Text)}
			s.mu.Unlock()
		} else if a.Text, err = streams.Show(s.router, m); err != nil {
			a.Error = err.Error()
		}
		if channel.Write(c, a) != nil {
			return
		}
	}
}
