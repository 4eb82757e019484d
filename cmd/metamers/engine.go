package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/ask"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/remote"
)

type engineCmd struct {
	Serve  engineServeCmd  `cmd:"" help:"Run the engine that notebooks share, until it is idle."`
	Status engineStatusCmd `cmd:"" help:"Say whether an engine runs, and what it holds."`
	Stop   engineStopCmd   `cmd:"" help:"Stop the engine; work under way keeps its checkpoint."`
}

type engineServeCmd struct {
	Idle time.Duration `default:"10m" env:"METAMERS_ENGINE_IDLE" help:"End after this long without a client; 0: never."`
	TCP  string        `placeholder:"HOST:PORT" help:"Listen on TCP in place of the socket, for use through a tunnel; prints the token that clients need. Without a host: loopback."`
}

func (c *engineServeCmd) Run(ctx context.Context, g *globals) error {
	e, err := g.engine()
	if err != nil {
		return err
	}
	s := &remote.Server{
		Engine: e, Backend: string(e.Backend.Kind), Idle: c.Idle, Loaded: e.Loaded,
		Extra: func(q ask.Synthesis) func(*metamer.Run) map[string]func(string) error { return extras(q.Images) },
	}
	if c.TCP != "" {
		l, token, err := remote.ListenTCP(c.TCP)
		if err != nil {
			return err
		}
		s.Token, s.Idle = token, 0
		fmt.Printf("METAMERS_ENGINE=tcp:%s\nMETAMERS_ENGINE_TOKEN=%s\n", l.Addr(), token)
		return s.Serve(ctx, l)
	}
	dir, err := remote.Dir(g.Backend)
	if err != nil {
		return err
	}
	l, release, err := remote.Listen(dir)
	if err != nil {
		return err
	}
	return errors.Join(s.Serve(ctx, l), release())
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
	fmt.Printf("held by %d clients, %d requests under way, models loaded: %v\n", st.Holders, st.Working, st.Models)
	if st.Stale {
		fmt.Printf("%s was replaced since: the next client starts it again once it is idle\n", st.Program)
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
