package gonb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/ensemble-metamers/metamers/kernel/cell"
	"github.com/ensemble-metamers/metamers/kernel/live"
	"github.com/ensemble-metamers/metamers/kernel/plugins"
	"github.com/ensemble-metamers/metamers/kernel/session"
)

// newLive prepares the session that remembers. It costs nothing until a cell needs it.
func (in *Interpreter) newLive() error {
	b := &plugins.Builder{Go: in.o.Go, Checkout: in.o.Checkout, Dir: filepath.Join(in.o.Life.Dir, "module"), Work: filepath.Join(in.o.Life.Dir, "cells"), Plugins: in.pluginDir(), Cache: in.o.Programs, Start: in.o.Life.Start}
	removeOldPlugins(in.o.Programs)
	env := []string{"TMPDIR=" + in.tmp()}
	for _, v := range in.environment() {
		if strings.HasPrefix(v, "METAMERS_PROGRAM=") {
			env = append(env, v)
		}
	}
	out := &live.Router{}
	var err error
	in.live, err = live.New(live.Options{Builder: b, Socket: filepath.Join(in.o.Life.Dir, "l"), Env: env, Start: in.startLive(out), Finish: in.finishPipes, Router: out})
	return err
}

// startLive returns a function that starts a process of the session. Each process has its own
// pipes for gonbui, because an encoder of gob describes its types only once.
func (in *Interpreter) startLive(out session.Output) func(*exec.Cmd) error {
	return func(c *exec.Cmd) error {
		in.mu.Lock()
		old := in.pipes
		in.mu.Unlock()
		if old != nil {
			old.close()
		}
		pipes, err := newGonbPipes(in.tmp(), "session", out, func() { in.live.Drain() }, nil)
		if err != nil {
			return err
		}
		in.mu.Lock()
		in.pipes = pipes
		in.mu.Unlock()
		for name, value := range pipes.env() {
			c.Env = append(c.Env, name+"="+value)
		}
		return in.o.Life.Start(c)
	}
}

// finishPipes waits until everything that cells displayed with gonbui is shown.
func (in *Interpreter) finishPipes() {
	in.mu.Lock()
	pipes := in.pipes
	in.mu.Unlock()
	if pipes != nil {
		pipes.finish()
	}
}

const pluginsPrefix = "plugins-"

// pluginDir is where plugins lie until they are loaded. It is not in the kernel's private
// folder, which may be in memory: what a plugin has in its file stays there as long as the
// session lasts.
func (in *Interpreter) pluginDir() string {
	return filepath.Join(in.o.Programs, pluginsPrefix+strconv.Itoa(os.Getpid()))
}

// removeOldPlugins removes what killed kernels left.
func removeOldPlugins(programs string) {
	dirs, _ := filepath.Glob(filepath.Join(programs, pluginsPrefix+"*"))
	for _, d := range dirs {
		pid, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(d), pluginsPrefix))
		if err == nil && syscall.Kill(pid, 0) == syscall.ESRCH {
			os.RemoveAll(d)
		}
	}
}

// remembers reports whether cells are run by the session that remembers.
func (in *Interpreter) remembers() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.state
}

// readyLive starts the process of the session if it does not run, and says how far the
// compiling is that this takes. It is interrupted where ctx ends; what was begun goes on.
func (in *Interpreter) readyLive(ctx context.Context, out session.Output) error {
	ready := make(chan error, 1)
	go func() { ready <- in.live.Ready() }() // minutes, where nothing of the standard library is compiled yet
	defer in.live.Report(out)()
	select {
	case err := <-ready:
		return err
	case <-ctx.Done():
		return live.ErrInterrupted
	}
}

// remember runs a cell in the session that remembers: GoNB's commands in it first.
func (in *Interpreter) remember(ctx context.Context, req session.Request, c *cell.Cell, out session.Output) *session.Failure {
	err := in.readyLive(ctx, out)
	if errors.Is(err, live.ErrInterrupted) {
		return interrupted()
	}
	if err != nil {
		in.mu.Lock()
		in.state = false
		in.mu.Unlock()
		out.Stream("stderr", fmt.Sprintf("no session that keeps variables, each cell is a program of its own: %v\n", err))
		code, _ := c.Render()
		return in.compose(ctx, req, code, out)
	}
	before, after := c.Commands()
	if f := in.shellLines(ctx, req, before, out); f != nil {
		return f
	}
	if c.HasGo() {
		if f := in.runLive(ctx, req, c, out); f != nil {
			return f
		}
	}
	return in.shellLines(ctx, req, after, out)
}

// shellLines carries out commands: those of the session one by one, then those of GoNB together.
func (in *Interpreter) shellLines(ctx context.Context, req session.Request, commands []string, out session.Output) *session.Failure {
	var lines []string
	for _, line := range commands {
		mine, text, err := in.live.Command(line)
		if err != nil {
			return &session.Failure{Name: "UsageError", Value: err.Error()}
		}
		out.Stream("stdout", text)
		if !mine {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return in.compose(ctx, req, strings.Join(lines, "\n")+"\n", out)
}

func (in *Interpreter) runLive(ctx context.Context, req session.Request, c *cell.Cell, out session.Output) *session.Failure {
	e := in.begin(req, out)
	defer in.end(e)
	err := in.live.Run(ctx, live.Cell{Cell: c, ID: e.cell, Stdin: req.AllowStdin}, out)
	imports, outline := in.live.Outline()
	in.mu.Lock()
	in.memory.Learn(outline, imports)
	in.mu.Unlock()
	return in.liveFailure(err, e.cell)
}

// liveFailure tells what a cell ended with.
func (in *Interpreter) liveFailure(err error, here string) *session.Failure {
	var compile *live.CompileError
	var ended *live.EndError
	var panicked *live.PanicError
	var failed *live.CellError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, live.ErrInterrupted):
		return interrupted()
	case errors.As(err, &compile) && len(compile.Problems) == 0:
		return in.compileFailure(&buildError{said: live.Strip(compile.Said), source: compile.Source}, here)
	case errors.As(err, &compile):
		return in.problems(compile, here)
	case errors.As(err, &panicked):
		return in.panicFailure(panicked.Text, here)
	case errors.As(err, &failed):
		return &session.Failure{Name: "Error", Value: failed.Text, Traceback: []string{red("Error") + ": " + failed.Text}}
	case errors.As(err, &ended):
		f := &session.Failure{}
		if ended.Text != "" {
			f = in.panicFailure(ended.Text, here)
		}
		f.Name, f.Value = "SessionEnded", ended.Error()
		f.Traceback = append(f.Traceback, red(f.Name)+": "+ended.Error(), "The next cell starts a new session.")
		return f
	}
	return &session.Failure{Name: "KernelError", Value: err.Error()}
}

// problems tells what the type checker found.
func (in *Interpreter) problems(e *live.CompileError, here string) *session.Failure {
	f := &session.Failure{Name: "CompileError"}
	for _, p := range e.Problems {
		message := helped(p.Message)
		f.Traceback = append(f.Traceback, red("CompileError")+": "+message)
		where := ""
		if p.Line > 0 {
			where = in.place(here, here, p.Line)
			f.Traceback = append(f.Traceback, excerpt(where, in.line(here, p.Line), p.Column)...)
			where += ": "
		}
		if p.Hint != "" {
			f.Traceback = append(f.Traceback, "("+p.Hint+")")
		}
		if f.Value == "" {
			f.Value = where + message
			if p.Hint != "" {
				f.Value += " (" + p.Hint + ")"
			}
		}
	}
	return f
}

// cellPackage begins the names of functions of cells in a stack.
var cellPackage = regexp.MustCompile(`^cells/c[0-9a-f]+\.`)

// stateCommand carries out %state, %vars, %restart, %reset.
func (in *Interpreter) stateCommand(ctx context.Context, words []string, out session.Output) *session.Failure {
	usage := func(s string) *session.Failure { return &session.Failure{Name: "UsageError", Value: s} }
	ready := func() *session.Failure {
		switch err := in.readyLive(ctx, out); {
		case errors.Is(err, live.ErrInterrupted):
			return interrupted()
		case err != nil:
			return &session.Failure{Name: "StateError", Value: err.Error()}
		}
		return nil
	}
	switch words[0] {
	case "state":
		if len(words) == 1 {
			out.Stream("stdout", map[bool]string{true: "on\n", false: "off\n"}[in.remembers()])
			return nil
		}
		if len(words) != 2 || words[1] != "on" && words[1] != "off" {
			return usage("usage: %state on, or %state off")
		}
		if words[1] == "on" {
			if f := ready(); f != nil {
				return f
			}
		}
		in.mu.Lock()
		in.state = words[1] == "on"
		in.mu.Unlock()
		return nil
	}
	if !in.remembers() {
		return usage("%" + words[0] + " is for a session that remembers: %state on")
	}
	switch words[0] {
	case "vars":
		text, html, err := in.live.Table()
		if err != nil {
			return &session.Failure{Name: "KernelError", Value: err.Error()}
		}
		out.Display(session.Bundle{Data: map[string]any{"text/plain": text, "text/html": html}})
	case "restart", "reset":
		in.live.Restart()
		if words[0] == "reset" {
			in.live.ForgetImports()
		}
		in.mu.Lock()
		in.memory = cell.Memory{}
		in.mu.Unlock()
		return ready()
	}
	return nil
}
