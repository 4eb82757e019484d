package remote

import (
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

	"github.com/ensemble-metamers/metamers/metamerkit/errand"
)

// Options say which engine Connect wants.
type Options struct {
	// Address of an engine that runs elsewhere (default: the environment's
	// METAMERS_ENGINE), such as tcp:127.0.0.1:7000, and its token
	// (METAMERS_ENGINE_TOKEN). Such an engine is never started from here.
	Address, Token string
	// Program starts an engine where none runs: the command metamers (default:
	// METAMERS_PROGRAM, then the one on PATH).
	Program  string
	Backend  string        // see backend.Kind; "" is auto
	Patience time.Duration // how long an engine may take to start; default 60 s
	// Say, if set, is told that an engine is being started.
	Say func(string)

	relay bool // start one that passes on to Address
}

func (o Options) filled() Options {
	o.Address = cmp.Or(o.Address, os.Getenv("METAMERS_ENGINE"))
	o.Token = cmp.Or(o.Token, os.Getenv("METAMERS_ENGINE_TOKEN"))
	o.Backend = cmp.Or(o.Backend, errand.Backend())
	if o.Patience == 0 {
		o.Patience = time.Minute
	}
	if o.Say == nil {
		o.Say = func(string) {}
	}
	return o
}

// Client returns a client of the engine that Connect would look for first, whether or
// not it runs.
func (o Options) Client() (*Client, error) {
	o = o.filled()
	if o.Address != "" {
		return Dial(o.Address, o.Token)
	}
	dir, err := Dir(o.Backend)
	if err != nil {
		return nil, err
	}
	return Dial(Address(dir), "")
}

// Connect returns a client of the engine that o asks for, and starts one where none
// runs. An idle engine whose program has been replaced since is started again.
func Connect(ctx context.Context, o Options) (*Client, error) {
	o = o.filled()
	c, err := o.Client()
	if err != nil {
		return nil, err
	}
	if o.Address != "" {
		_, err := c.Status(ctx)
		return c, err
	}
	dir, err := Dir(o.Backend)
	if err != nil {
		return nil, err
	}
	return c, o.renewed(ctx, dir, c)
}

// renewed makes sure that the process in dir, which c reaches, runs and is of the build
// that is there now.
func (o Options) renewed(ctx context.Context, dir string, c *Client) error {
	st, err := c.Status(ctx)
	var old *VersionError
	if errors.As(err, &old) || err == nil && st.Stale {
		if st.Working > 0 {
			return err // not in the middle of somebody's work
		}
		o.Say("the engine that runs is of an older build: starting it again")
		if err := c.Stop(ctx); err != nil {
			return err
		}
		err = &UnreachableError{c.address, errors.New("stopped")}
	}
	var gone *UnreachableError
	if !errors.As(err, &gone) {
		return err
	}
	return start(ctx, o, dir, c)
}

// Ensure has a process on this machine do errands (package desk), which programs find
// at errand.Here: the engine itself, or, where o or the environment names one elsewhere,
// one that passes on what is asked. It starts what does not run, and again what is of an
// older build.
func Ensure(ctx context.Context, o Options) error {
	o = o.filled()
	if o.Address == "" {
		_, err := Connect(ctx, o)
		return err
	}
	far, err := Dial(o.Address, o.Token)
	if err != nil {
		return err
	}
	if _, err := far.Status(ctx); err != nil {
		return err
	}
	dir, err := errand.Here()
	if err != nil {
		return err
	}
	near, err := Dial(Address(dir), "")
	if err != nil {
		return err
	}
	o.relay = true
	return o.renewed(ctx, dir, near)
}

// start runs the program apart from this process and waits until it answers.
func start(ctx context.Context, o Options, dir string, c *Client) error {
	program, err := errand.Program(o.Program)
	if err != nil {
		return fmt.Errorf("remote: %w", err)
	}
	logPath := filepath.Join(dir, "log.txt")
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_WRONLY|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("remote: %w", err)
	}
	defer log.Close()
	args := []string{"engine", "serve", "--backend=" + o.Backend}
	if o.relay {
		args = append(args, "--relay")
		o.Say("reaching the engine at " + o.Address)
	} else {
		o.Say("starting the engine (" + o.Backend + ")")
	}
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = own(os.Environ())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // an interrupt of the cell is not one of the engine
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("remote: starting the engine: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	deadline := time.NewTimer(o.Patience)
	defer deadline.Stop()
	for {
		_, err := c.Status(ctx)
		var gone *UnreachableError
		if !errors.As(err, &gone) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline.C:
			return fmt.Errorf("remote: the engine has not answered within %s: %s", o.Patience, tail(logPath))
		case why := <-ended:
			// Another process may have started one at the same moment.
			if _, err := c.Status(ctx); err == nil {
				return nil
			}
			return fmt.Errorf("remote: the engine ended at once (%v): %s", why, tail(logPath))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// own leaves out what belongs to the kernel of the notebook that asks first: the
// engine outlives it, and the kernel's end takes with it all that bears its mark.
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
