package live

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"github.com/ensemble-metamers/metamers/kernel/cell"
	"github.com/ensemble-metamers/metamers/kernel/plugins"
	"github.com/ensemble-metamers/metamers/kernel/session"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// Open starts a session without Jupyter, for tests: cells import the module in checkout,
// and the session's files lie in the folder dir, which is short, because a socket is in it.
func Open(checkout, dir string) (*Session, error) {
	command, err := exec.LookPath("go")
	if err != nil {
		return nil, err
	}
	if command, err = filepath.EvalSymlinks(command); err != nil {
		return nil, err
	}
	b := &plugins.Builder{Go: command, Checkout: checkout, Dir: filepath.Join(dir, "module"), Work: filepath.Join(dir, "cells"),
		Cache: filepath.Join(paths.Cache(), "kernel", "programs")}
	return New(Options{Builder: b, Socket: filepath.Join(dir, "l")})
}

// A Result is what a cell showed.
type Result struct {
	Stdout, Stderr string
	Displays       []session.Bundle
	Value          string         // as text
	Values         map[string]any // by media type
}

// Try runs a cell and returns what it showed until it ended.
func (s *Session) Try(ctx context.Context, text string) (Result, error) {
	c := cell.Parse(text)
	if err := c.Check(); err != nil {
		return Result{}, err
	}
	out := &collected{}
	err := s.Run(ctx, Cell{Cell: c, ID: cell.ID(text)}, out)
	out.mu.Lock()
	defer out.mu.Unlock()
	return out.shown, err
}

// collected is an output that keeps all.
type collected struct {
	mu    sync.Mutex
	shown Result
}

func (c *collected) Stream(name, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if name == "stderr" {
		c.shown.Stderr += text
	} else {
		c.shown.Stdout += text
	}
}

func (c *collected) Display(b session.Bundle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shown.Displays = append(c.shown.Displays, b)
}

func (c *collected) Update(b session.Bundle) { c.Display(b) }

func (c *collected) Result(b session.Bundle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shown.Value, _ = b.Data["text/plain"].(string)
	c.shown.Values = b.Data
}

func (c *collected) Clear(bool)             {}
func (c *collected) Page(map[string]string) {}
func (c *collected) Input(string, bool) (string, error) {
	return "", os.ErrClosed
}
