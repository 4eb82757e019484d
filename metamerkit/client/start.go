package client

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
)

func (c *Client) say(text string) {
	if c.Say != nil {
		c.Say(text)
	}
}

// backend is that of the client or of the environment, else auto.
func (c *Client) backend() string {
	b := cmp.Or(c.Backend, os.Getenv("METAMERS_BACKEND"), "auto")
	if file := os.Getenv("METAMERS_PJRT"); file != "" && b == "auto" {
		b = "plugin:" + file
	}
	return b
}

// program is the path of the command metamers.
func (c *Client) program() (string, error) {
	path, err := exec.LookPath(cmp.Or(c.Program, os.Getenv("METAMERS_PROGRAM"), "metamers"))
	if err != nil {
		return "", fmt.Errorf("client: the program metamers, which holds the engine, was not found: build it (make build) and put it on PATH, or name it in METAMERS_PROGRAM: %w", err)
	}
	return path, nil
}

// Start ensures that an engine of this version runs on this machine: it starts one if none
// does. The error says why the engine did not start or answer.
func (c *Client) Start(ctx context.Context) error {
	l, err := c.connect(ctx)
	if err != nil {
		return err
	}
	return l.conn.Close()
}

// command runs "metamers engine start". Its messages go to Say, but the last one, after
// "metamers: ", is the error if the command fails.
func (c *Client) command(ctx context.Context) error {
	program, err := c.program()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, "engine", "start", "--backend="+c.backend())
	cmd.WaitDelay = 100 * time.Millisecond // the engine may hold its streams open
	said, err := cmd.StderrPipe()
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("client: starting the engine: %w", err)
	}
	var why []string
	for lines := bufio.NewScanner(said); lines.Scan(); {
		text, failed := strings.CutPrefix(lines.Text(), "metamers: ")
		if failed || len(why) > 0 {
			why = append(why, text)
		} else {
			c.say(text)
		}
	}
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && len(why) > 0:
		return errors.New(strings.Join(why, "\n"))
	case err != nil:
		return fmt.Errorf("client: starting the engine: %w", err)
	}
	return nil
}

// start runs the program in a session of its own and waits until it answers.
func (c *Client) start(ctx context.Context, dir string) (*link, error) {
	program, err := c.program()
	if err != nil {
		return nil, err
	}
	logPath := filepath.Join(dir, "log.txt")
	c.say("starting the engine (" + c.backend() + ")")
	ended, err := c.launch(program, logPath)
	if err != nil {
		return nil, err
	}
	patience := cmp.Or(c.Patience, time.Minute)
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		l, err := dial(ctx, api.Address(dir), "")
		var gone *UnreachableError
		if !errors.As(err, &gone) {
			return l, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-deadline.C:
			return nil, fmt.Errorf("client: the engine has not answered within %s: %s", patience, tail(logPath))
		case why := <-ended:
			// Another engine has the folder but does not listen yet, or no longer.
			if said := tail(logPath); !strings.Contains(said, api.RunsAlready(dir)) {
				return nil, fmt.Errorf("client: the engine ended at once (%v): %s", why, said)
			}
			if ended, err = c.launch(program, logPath); err != nil {
				return nil, err
			}
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// launch starts the program and returns a channel that receives the program's error when it
// ends.
func (c *Client) launch(program, logPath string) (ended <-chan error, err error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_WRONLY|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	defer log.Close()
	cmd := exec.Command(program, "engine", "serve", "--backend="+c.backend())
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = own(os.Environ())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // an interrupt of the cell is not one of the engine
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("client: starting the engine: %w", err)
	}
	end := make(chan error, 1)
	go func() { end <- cmd.Wait() }()
	return end, nil
}

// own removes the variables of a notebook's kernel from an environment: the engine outlives
// the kernel, which at its end kills all processes that have its variables.
func own(env []string) (out []string) {
	for _, v := range env {
		if !strings.HasPrefix(v, "METAMERS_KERNEL_") && !strings.HasPrefix(v, "TMPDIR=") {
			out = append(out, v)
		}
	}
	return out
}

// tail is the end of a log for an error message.
func tail(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	text := strings.TrimSpace(string(data))
	if len(text) > 800 {
		text = "…" + text[len(text)-800:]
	}
	return text
}
