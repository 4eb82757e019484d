// Package live is a notebook's session: what a cell defines stays for the next. Each
// cell becomes a Go package (package state), built as a plugin (package plugins) and
// loaded into one process (live/host), which runs it. docs/kernel.md says what a cell
// can be.
package live

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/ensemble-metamers/metamers/kernel/cell"
	"github.com/ensemble-metamers/metamers/kernel/live/protocol"
	"github.com/ensemble-metamers/metamers/kernel/plugins"
	"github.com/ensemble-metamers/metamers/kernel/session"
	"github.com/ensemble-metamers/metamers/kernel/state"
	"github.com/ensemble-metamers/metamers/kernel/streams"
	"github.com/ensemble-metamers/metamers/kernel/supervisor"
)

func strip(s string) string { return state.Strip(s) }

// graceTime is how long an interrupted cell has until the session is ended, by the clock of
// its process (host.grace), or so many times that where the process does not get to tell it.
const (
	graceTime = 500 * time.Millisecond
	mostGrace = 60
)

// heavyBytes of loaded cells are worth a word.
const heavyBytes = 1 << 30

// Options say what a session works with.
type Options struct {
	Builder *plugins.Builder
	Socket  string                // path of the socket for displays
	Dir     string                // working folder of the cells; "" for that of the kernel
	Env     []string              // in addition
	Start   func(*exec.Cmd) error // starts a process
	Router  *Router               // the output of the cell that runs; New makes one if it is nil
	Finish  func()                // waits until what cells sent in other ways is shown
}

// A Session runs cells, one at a time.
type Session struct {
	o      Options
	socket net.Listener
	router *Router

	grace    time.Duration // graceTime, but for tests
	running  sync.Mutex    // held while a cell runs
	notebook *state.Notebook
	notice   string // of an end between two cells, for the next

	mu       sync.Mutex
	process  *process
	failed   error // by display.Result
	seq      int
	elapsed  float64 // seconds that the last cell ran
	warned   bool
	settings []protocol.Request // environment and folder, for the next process too
}

// New prepares a session; its process starts with the first cell, or with Warm.
func New(o Options) (*Session, error) {
	if o.Finish == nil {
		o.Finish = func() {}
	}
	if o.Start == nil {
		o.Start = (*exec.Cmd).Start
	}
	if o.Router == nil {
		o.Router = &Router{}
	}
	s := &Session{o: o, router: o.Router, grace: graceTime, notebook: state.New(o.Builder)}
	var err error
	if s.socket, err = net.Listen("unix", o.Socket); err != nil {
		return nil, fmt.Errorf("the socket of the session: %w", err)
	}
	os.Chmod(o.Socket, 0o600)
	go s.accept()
	return s, nil
}

// Drain shows what the cells wrote until now.
func (s *Session) Drain() {
	s.mu.Lock()
	p := s.process
	s.mu.Unlock()
	if p != nil {
		p.drain()
	}
}

// Ready starts the process of the session, if it does not run.
func (s *Session) Ready() error {
	s.running.Lock()
	defer s.running.Unlock()
	_, err := s.ready()
	return err
}

func (s *Session) ready() (*process, error) {
	s.mu.Lock()
	p := s.process
	s.mu.Unlock()
	if p != nil && p.alive() {
		return p, nil
	}
	if p != nil { // between two cells
		s.notice = s.ended(p, p.cause).Error()
	}
	if err := s.o.Builder.Ready(); err != nil {
		return nil, err
	}
	p, err := s.startProcess()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.process, s.warned = p, false
	settings := s.settings
	s.mu.Unlock()
	for _, q := range settings {
		if _, err := p.ask(q, answerTime); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// A session that compiles packages says so after firstReport, and then ever more seldom.
const firstReport, lastReport = 1500 * time.Millisecond, 20 * time.Second

// Report writes to out how far the compilation is that a cell waits for, until stop is called.
// With an empty build cache it takes minutes.
func (s *Session) Report(out session.Output) (stop func()) {
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for wait := firstReport; ; {
			select {
			case <-time.After(wait):
			case <-over:
				return
			}
			if text := s.o.Builder.Compiling(); text != "" {
				out.Stream("stderr", text+"\n")
				wait = min(2*wait, lastReport)
			}
		}
	}()
	return sync.OnceFunc(func() {
		close(over)
		<-done
	})
}

// A Cell is to be run.
type Cell struct {
	*cell.Cell
	ID    string // in the names of its lines
	Stdin bool   // reads of standard input ask the output
}

// Run runs a cell. Its error is a *CompileError, *PanicError, *CellError, *EndError,
// ErrInterrupted, or of another kind where the session cannot run at all.
func (s *Session) Run(ctx context.Context, c Cell, out session.Output) error {
	s.running.Lock()
	defer s.running.Unlock()
	s.router.set(out)
	if ctx.Err() != nil {
		return ErrInterrupted
	}
	s.o.Builder.During(ctx)
	defer s.o.Builder.During(context.Background())
	err := s.try(ctx, c, out)
	if errors.Is(err, errChanged) { // once
		told := s.Report(out)
		notice := s.renew()
		told()
		out.Stream("stderr", notice+"\n")
		err = s.try(ctx, c, out)
	}
	var ended *EndError
	if err != nil && ctx.Err() != nil && !errors.As(err, &ended) {
		return ErrInterrupted // also where a compiler was ended
	}
	return err
}

// errChanged says that the sources of packages have changed since the session began, and
// that a cell needs what it cannot have beside them.
var errChanged = errors.New("packages that the session has were changed, and changed again while a new one was started: run the cell again")

// renew ends the session because packages were changed, and says so.
func (s *Session) renew() string {
	lost := s.Variables()
	s.restart()
	s.ready() // an error is told by the cell
	why := "packages of this checkout were changed since the session began"
	for _, name := range lost {
		s.notebook.Lose(name, name+" was lost when a new session was started, because "+why)
	}
	notice := why + ": a new one was started with them"
	if len(lost) > 0 {
		notice += "; lost: " + strings.Join(lost, ", ")
	}
	return notice
}

func (s *Session) try(ctx context.Context, c Cell, out session.Output) error {
	p, err := s.ready()
	if err != nil {
		return err
	}
	if s.notice != "" {
		out.Stream("stderr", s.notice+"\n")
		s.notice = ""
	}
	told := s.Report(out)
	defer told()
	pkg, imports, problems, err := s.notebook.Compose(c.Cell, c.ID)
	if err != nil {
		return err
	}
	if s.o.Builder.Changed() != "" {
		return errChanged
	}
	s.notebook.Remember(imports)
	if len(problems) > 0 {
		return &CompileError{Problems: problems}
	}
	file := ""
	if !s.notebook.Loaded(pkg) {
		file, err = s.o.Builder.Build(pkg)
	}
	if ctx.Err() != nil {
		s.notebook.Missed(pkg, "was not defined, because its cell was interrupted before it ran")
		return ErrInterrupted
	}
	if err != nil {
		var f *plugins.Failure
		if errors.As(err, &f) {
			return &CompileError{Said: f.Said, Source: pkg.Source}
		}
		return err
	}
	told()
	return s.run(ctx, p, pkg, file, c, out)
}

func (s *Session) run(ctx context.Context, p *process, pkg *state.Package, file string, c Cell, out session.Output) error {
	s.mu.Lock()
	s.seq++
	s.failed = nil
	q := protocol.Request{Kind: protocol.KindRun, Package: pkg.Path, File: file, Cell: fmt.Sprint(s.seq), Stdin: os.DevNull}
	s.mu.Unlock()
	var asked atomic.Bool // and interrupted: then the cell is, also if it ends well
	if c.Stdin {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		defer r.Close()
		q.Stdin = fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), r.Fd())
		ask := streams.NewAsker(p.cmd.Process.Pid, p.drain, out, w, func() { asked.Store(true) })
		defer ask.Stop()
	}
	ended := func(why string) error {
		e := s.ended(p, why)
		s.notebook.Missed(pkg, lostWith(why))
		return e
	}
	if err := p.send(q); err != nil {
		<-p.died
		return ended(p.cause)
	}
	interrupt := ctx.Done()
	var late <-chan time.Time
	done := func(r protocol.Reply) error {
		s.o.Finish()
		p.drain()
		p.panics.Release() // what looked like a panic was none
		r.Stopped = r.Stopped || asked.Load()
		return s.outcome(ctx, pkg, r)
	}
	end := func() error {
		select {
		case r := <-p.replies: // just in time
			if p.answers(r) {
				return done(r)
			}
		default:
		}
		syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.died
		return ended(fmt.Sprintf("the interrupted cell was in a call that cannot be stopped, and did not come back within %v", s.grace))
	}
	for {
		select {
		case r := <-p.replies:
			if p.answers(r) {
				return done(r)
			}
		case <-p.died:
			return ended(p.cause)
		case <-interrupt:
			interrupt = nil
			p.send(protocol.Request{Kind: protocol.KindInterrupt, Cell: q.Cell, Grace: s.grace})
			over := make(chan struct{})
			defer close(over)
			go supervisor.Interrupt(func() []int { return supervisor.Descendants(p.cmd.Process.Pid) }, over) // the process interrupts itself
			late = time.After(mostGrace * s.grace)
		case cell := <-p.late:
			if cell == q.Cell {
				return end()
			}
		case <-late:
			return end()
		}
	}
}

// outcome takes over what the cell did.
func (s *Session) outcome(ctx context.Context, pkg *state.Package, r protocol.Reply) error {
	if strings.Contains(r.Error, "built with a different version of package") {
		return errChanged
	}
	if !r.Loaded {
		return fmt.Errorf("loading the cell: %s", strip(r.Error))
	}
	if !s.notebook.Loaded(pkg) {
		for _, note := range pkg.Notes {
			s.router.Stream("stderr", note+"\n")
		}
	}
	s.o.Builder.Loaded(pkg)
	s.notebook.Load(pkg)
	s.notebook.Ran(pkg, r.Defined)
	s.mu.Lock()
	failed := s.failed
	s.elapsed = r.Elapsed
	s.mu.Unlock()
	s.heavy(r.Plugins)
	switch {
	case r.Stopped, ctx.Err() != nil && (r.Panic != "" || r.Failed != ""):
		return ErrInterrupted
	case r.Panic != "":
		return &PanicError{strip(r.Panic)}
	case r.Failed != "":
		return &CellError{strip(r.Failed)}
	}
	return failed
}

// ended makes the error of a process that has ended, and forgets what was in it.
func (s *Session) ended(p *process, why string) *EndError {
	s.o.Finish()
	p.drain()
	e := &EndError{Why: why, Text: strip(p.panics.Take()), Lost: s.Variables()}
	s.notebook.Forget()
	s.o.Builder.Renew()
	for _, name := range e.Lost {
		s.notebook.Lose(name, name+" "+lostWith(why))
	}
	s.mu.Lock()
	if s.process == p {
		s.process = nil
	}
	s.mu.Unlock()
	return e
}

func lostWith(why string) string { return "was lost when the session ended (" + why + ")" }

// heavy says once that the session has become large.
func (s *Session) heavy(bytes int64) {
	s.mu.Lock()
	say := bytes > heavyBytes && !s.warned
	s.warned = s.warned || say
	s.mu.Unlock()
	if say {
		s.router.Stream("stderr", fmt.Sprintf("the session has loaded %s of cells; %%restart frees their memory, and the variables with it\n", humanize.Bytes(uint64(bytes))))
	}
}

// Elapsed returns how many seconds the last cell ran.
func (s *Session) Elapsed() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.elapsed
}

// Variables returns the names of the variables that there are.
func (s *Session) Variables() (names []string) {
	for name, n := range s.notebook.Names() {
		if n.Variable() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Restart ends the process of the session. All that cells defined is forgotten, but
// their imports.
func (s *Session) Restart() {
	s.running.Lock()
	defer s.running.Unlock()
	s.restart()
}

func (s *Session) restart() {
	s.stop()
	s.notebook.Forget()
	s.o.Builder.Renew()
}

func (s *Session) stop() {
	s.mu.Lock()
	p := s.process
	s.process = nil
	s.mu.Unlock()
	if p != nil && p.alive() {
		syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.died
	}
}

// Close ends the session.
func (s *Session) Close() {
	s.socket.Close()
	s.stop()
}
