package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/ensemble-metamers/metamers/kernel/gonb"
	"github.com/ensemble-metamers/metamers/kernel/history"
	"github.com/ensemble-metamers/metamers/kernel/session"
	"github.com/ensemble-metamers/metamers/kernel/setup"
	"github.com/ensemble-metamers/metamers/kernel/supervisor"
	"github.com/ensemble-metamers/metamers/kernel/wire"
)

const version = "0.1.0"

type runCommand struct {
	ConnectionFile string `arg:"" help:"Connection file, written by Jupyter."`
	Checkout       string `help:"Module that cells import." env:"METAMERS_KERNEL_CHECKOUT" type:"existingdir"`
	State          string `help:"Run cells in a session that keeps what they define: on or off." env:"METAMERS_KERNEL_STATE" enum:"on,off,1,0,true,false" default:"on"`
	History        string `help:"History file (default: in the cache folder; - for none)." env:"METAMERS_KERNEL_HISTORY"`
}

// Run is the kernel.
func (r *runCommand) Run() error {
	conn, err := wire.ReadConnection(r.ConnectionFile)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	checkout := r.Checkout
	if checkout == "" {
		if checkout, err = setup.Checkout(); err != nil {
			return err
		}
	}
	if checkout, err = filepath.Abs(checkout); err != nil {
		return err
	}
	places, err := setup.Places(checkout)
	if err != nil {
		return err
	}
	path := r.History
	switch path {
	case "":
		path = places.History
	case "-":
		path = ""
	}
	past, err := history.Open(path)
	if err != nil {
		fmt.Fprintf(os.Stderr, "kernel: %v (this session goes on without the file)\n", err)
		past, _ = history.Open("")
	}
	life, err := supervisor.New(self, "watch")
	if err != nil {
		return err
	}
	defer life.Close()
	open := func() (session.Interpreter, error) {
		if err := setup.Unpack(); err != nil {
			return nil, err
		}
		if err := setup.Toolchain(checkout); err != nil {
			return nil, err
		}
		if err := places.CheckTools(); err != nil {
			return nil, err
		}
		goCommand, err := exec.LookPath("go")
		if err != nil {
			return nil, fmt.Errorf("cells need the go command: %w", err)
		}
		if goCommand, err = filepath.EvalSymlinks(goCommand); err != nil {
			return nil, err
		}
		return gonb.New(gonb.Options{Self: self, Tools: places.Tools, Go: goCommand, Checkout: checkout, Programs: places.Programs, Engine: places.Engine, Life: life, State: r.State == "on" || r.State == "1" || r.State == "true"})
	}
	var interp session.Interpreter
	if setup.Unpacked() {
		if interp, err = open(); err != nil {
			return err
		}
	} else { // Jupyter waits a minute for a kernel that does not answer
		interp = session.Later(open, "the sources for cells are being unpacked, once")
	}
	defer interp.Close()
	info := session.Info{
		Implementation: "metamers", Version: version,
		Banner: fmt.Sprintf("Go (metamers) %s, %s. %%help says what a cell can be.", version, runtime.Version()),
		Language: map[string]any{"name": "go", "version": runtime.Version()[2:], "mimetype": "text/x-go", "file_extension": ".go",
			"pygments_lexer": "go", "codemirror_mode": "go", "nbconvert_exporter": "script"},
		Links: []session.Link{{Text: "Go", URL: "https://go.dev/doc/"}, {Text: "GoMLX", URL: "https://github.com/gomlx/gomlx"}},
	}
	s, err := session.Start(conn, info, interp, past)
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		for sig := range signals {
			if sig == os.Interrupt {
				s.Interrupt()
			} else {
				s.Stop()
			}
		}
	}()
	go watchParent(s.Stop)
	ctx, letGo := context.WithCancel(context.Background())
	defer letGo()
	go hold(ctx)
	s.Wait()
	interp.Close()
	life.Close()
	s.Close()
	return nil
}

// watchParent calls stop when Jupyter, which names itself in the environment, has
// gone.
func watchParent(stop func()) {
	parent := os.Getppid()
	if os.Getenv("JPY_PARENT_PID") != fmt.Sprint(parent) {
		return // started in another way: nobody in particular to watch
	}
	for os.Getppid() == parent {
		time.Sleep(200 * time.Millisecond)
	}
	stop()
}

type watchCommand struct {
	Dir  string `arg:""`
	Mark string `arg:""`
}

func (w *watchCommand) Run() error {
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	supervisor.Watch(w.Dir, w.Mark)
	return nil
}
