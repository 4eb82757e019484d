package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/desk"
	"github.com/ensemble-metamers/metamers/metamerkit/errand"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/remote"
)

type engineCmd struct {
	Serve  engineServeCmd  `cmd:"" help:"Run the engine that notebooks share until it has been idle for --idle."`
	Start  engineStartCmd  `cmd:"" help:"Start the engine if it is not running. If METAMERS_ENGINE names an engine on another machine, check the connection."`
	Status engineStatusCmd `cmd:"" help:"Show whether the engine is running and which models it has loaded."`
	Stop   engineStopCmd   `cmd:"" help:"Stop the engine. Work in progress is checkpointed."`
}

type engineServeCmd struct {
	Idle  time.Duration `default:"10m" env:"METAMERS_ENGINE_IDLE" help:"End after this long without a client; 0: never."`
	TCP   string        `xor:"how" placeholder:"HOST:PORT" help:"Listen on TCP in place of the socket, for use through a tunnel; prints the token that clients need (that of METAMERS_ENGINE_TOKEN, else a new one). Without a host: loopback. Runs are kept in METAMERS_RUNS here, and clients get copies."`
	Relay bool          `xor:"how" hidden:"" help:"Pass on what programs here ask of the engine that METAMERS_ENGINE names."`
}

func (c *engineServeCmd) Run(ctx context.Context, g *globals) error {
	s := &remote.Server{
		Idle:  c.Idle,
		Extra: func(q api.Synthesis) func(*metamer.Run) map[string]func(string) error { return extras(q.Images) },
	}
	if c.Relay {
		far, err := g.client()
		if err != nil {
			return err
		}
		s.Engine, s.Backend = far, os.Getenv("METAMERS_ENGINE")
	} else {
		e, err := g.engine()
		if err != nil {
			return err
		}
		s.Engine, s.Backend, s.Loaded = e, string(e.Backend.Kind), e.Loaded
	}
	if c.TCP != "" {
		var err error
		if s.Store, err = openStore(os.Getenv("METAMERS_RUNS")); err != nil {
			return err
		}
		l, token, err := remote.ListenTCP(c.TCP)
		if err != nil {
			return err
		}
		if given := os.Getenv("METAMERS_ENGINE_TOKEN"); given != "" {
			if len(given) < 20 {
				return errors.Join(fmt.Errorf("METAMERS_ENGINE_TOKEN has %d characters, expected 20 or more: openssl rand -hex 16 makes a good one", len(given)), l.Close())
			}
			token = given
		}
		s.Token, s.Idle = token, 0
		fmt.Printf("METAMERS_ENGINE=tcp:%s\nMETAMERS_ENGINE_TOKEN=%s\n", l.Addr(), token)
		return s.Serve(ctx, l)
	}
	dir, err := remote.Dir(g.Backend)
	if c.Relay {
		dir, err = errand.Here()
	}
	if err != nil {
		return err
	}
	l, release, err := remote.Listen(dir)
	if err != nil {
		return err
	}
	return errors.Join(withDesk(ctx, s, dir, l), release())
}

// withDesk serves engine and errands until the engine ends.
func withDesk(ctx context.Context, s *remote.Server, dir string, l net.Listener) error {
	at, err := desk.Listen(dir)
	if err != nil {
		return err
	}
	d := &desk.Desk{Engine: s.Engine, Extra: extras}
	errands := &desk.Server{Desk: d, Busy: s.Busy, Hello: func() errand.Hello {
		st := s.Status()
		return errand.Hello{PID: st.PID, Stale: st.Stale, Working: st.Working}
	}}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- errands.Serve(ctx, at); cancel() }()
	err = s.Serve(ctx, l)
	cancel()
	return errors.Join(err, <-ended)
}

type engineStartCmd struct{}

func (engineStartCmd) Run(ctx context.Context, g *globals) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return remote.Ensure(ctx, remote.Options{Backend: g.Backend, Program: self, Say: func(text string) { fmt.Fprintln(os.Stderr, text) }})
}

// client is one of the engine that runs; it starts none.
func (g *globals) client() (*remote.Client, error) {
	return remote.Options{Backend: g.Backend}.Client()
}

type engineStatusCmd struct{}

func (engineStatusCmd) Run(ctx context.Context, g *globals) error {
	c, err := g.client()
	if err != nil {
		return err
	}
	st, err := c.Status(ctx)
	var gone *remote.UnreachableError
	if errors.As(err, &gone) {
		fmt.Println("no engine runs")
		return nil
	}
	if err != nil {
		return err
	}
	if g.JSON {
		return json.NewEncoder(os.Stdout).Encode(st)
	}
	fmt.Printf("engine on %s, process %d, since %s, %d MB\n", st.Backend, st.PID, st.Started.Format(time.DateTime), st.MemoryMB)
	fmt.Printf("%d clients, %d requests in progress, models loaded: %v\n", st.Holders, st.Working, st.Models)
	if st.Stale {
		fmt.Printf("%s was replaced after the engine started: the next client restarts the engine once it is idle\n", st.Program)
	}
	return nil
}

type engineStopCmd struct{}

func (engineStopCmd) Run(ctx context.Context, g *globals) error {
	c, err := g.client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	err = c.Stop(ctx)
	var gone *remote.UnreachableError
	if errors.As(err, &gone) {
		fmt.Println("no engine runs")
		return nil
	}
	return err
}
