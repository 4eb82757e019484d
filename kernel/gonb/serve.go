package gonb

import (
	"errors"
	"net"
	"os"

	"github.com/ensemble-metamers/metamers/kernel/session"
	"github.com/ensemble-metamers/metamers/kernel/shim"
	"github.com/ensemble-metamers/metamers/kernel/streams"
	"github.com/ensemble-metamers/metamers/metamerkit/display/channel"
)

// accept serves the programs that the kernel started: shims and cells.
func (in *Interpreter) accept() {
	for {
		c, err := in.socket.Accept()
		if err != nil {
			return
		}
		go in.serve(c.(*net.UnixConn))
	}
}

func (in *Interpreter) serve(c *net.UnixConn) {
	defer c.Close()
	for {
		var m channel.Message
		if channel.Read(c, &m) != nil {
			return
		}
		e := in.execution(m.Cell)
		if e == nil {
			if channel.Write(c, channel.Answer{Error: "no cell is running"}) != nil {
				return
			}
			continue
		}
		if start := map[string]func(*net.UnixConn, channel.Message) error{channel.Run: e.startProgram, channel.Shell: e.startShell}[m.Kind]; start != nil {
			e.finishShell()
			if err := start(c, m); err != nil {
				channel.Write(c, channel.Answer{Error: err.Error()})
			}
			return
		}
		answer := channel.Answer{}
		var err error
		if answer.Text, err = e.asked(m); err != nil {
			answer.Error = err.Error()
		}
		if channel.Write(c, answer) != nil {
			return
		}
	}
}

// asked does what a message of a cell's program or of the go command asks for.
func (e *execution) asked(m channel.Message) (text string, err error) {
	e.finishShell()
	e.mu.Lock()
	p := e.program
	e.mu.Unlock()
	if p != nil {
		p.drain()
	}
	switch m.Kind {
	case channel.Fail:
		e.mu.Lock()
		e.failed = &session.Failure{Name: "Error", Value: m.Text, Traceback: []string{red("Error") + ": " + m.Text}}
		e.mu.Unlock()
	case channel.Built:
		if m.OK {
			e.in.mu.Lock()
			e.in.memory.Learn(m.Data["source"], e.in.sources[e.cell].text)
			e.in.mu.Unlock()
		}
		e.mu.Lock()
		e.building = nil
		if !m.OK {
			e.building = &buildError{said: m.Text, source: m.Data["source"]}
		}
		e.mu.Unlock()
	default:
		return streams.Show(e.out, m)
	}
	return "", nil
}

// startProgram gives the starter of a cell's program its streams.
func (e *execution) startProgram(c *net.UnixConn, m channel.Message) error {
	if err := e.refuse(); err != nil {
		return err
	}
	p := &program{pid: m.PID, panics: &streams.PanicHold{Out: e.out}}
	p.emit = func(name, text string) {
		if name == "stderr" {
			text = p.panics.Pass(text)
		}
		e.out.Stream(name, text)
	}
	var files []*os.File
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	var stdin *os.File
	var err error
	if e.stdin {
		var r *os.File
		if r, stdin, err = os.Pipe(); err != nil {
			return err
		}
		files = append(files, r)
	} else {
		null, err := os.Open(os.DevNull)
		if err != nil {
			return err
		}
		files = append(files, null)
	}
	outputs, err := p.open()
	files = append(files, outputs...)
	if err != nil {
		return err
	}
	if p.pipes, err = newGonbPipes(e.in.tmp(), e.seq, e.out, p.drain, stdin); err != nil {
		return err
	}
	if stdin != nil {
		p.ask = streams.NewAsker(p.pid, p.drain, e.out, stdin, nil)
	}
	for _, x := range p.pumps {
		p.ended.Go(x.Run)
	}
	e.mu.Lock()
	e.program = p
	e.mu.Unlock()
	env := p.pipes.env()
	env[channel.CellEnv] = e.seq
	return shim.Send(c, channel.Answer{Env: env}, files...)
}

// refuse returns an error once the execution is interrupted: a program that starts right
// before the interrupt gets the signal.
func (e *execution) refuse() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.refused = e.interrupted
	if e.refused {
		return errors.New("the cell was interrupted")
	}
	return nil
}

// startShell gives a shell command its output streams.
func (e *execution) startShell(c *net.UnixConn, m channel.Message) error {
	if err := e.refuse(); err != nil {
		return err
	}
	p := &program{pid: m.PID, emit: e.out.Stream}
	files, err := p.open()
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	if err != nil {
		return err
	}
	for _, x := range p.pumps {
		p.ended.Go(x.Run)
	}
	e.mu.Lock()
	e.shell = p
	e.mu.Unlock()
	return shim.Send(c, channel.Answer{}, files...)
}

// finishShell waits for what the last shell command left in its streams.
func (e *execution) finishShell() {
	e.mu.Lock()
	p := e.shell
	e.shell = nil
	e.mu.Unlock()
	if p != nil {
		p.finish()
	}
}
