package main

import (
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/client"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/server"
)

type engineCmd struct {
	Serve  engineServeCmd  `cmd:"" help:"Run the engine that notebooks share until it has been idle for --idle."`
	Start  engineStartCmd  `cmd:"" help:"Start the engine if it is not running. If METAMERS_ENGINE names an engine on another machine, check the connection."`
	Status engineStatusCmd `cmd:"" help:"Show whether the engine is running and which models it has loaded."`
	Stop   engineStopCmd   `cmd:"" help:"Stop the engine. Work in progress is checkpointed."`
	Images engineImagesCmd `cmd:"" hidden:""`
}

type engineServeCmd struct {
	Idle time.Duration `default:"10m" env:"METAMERS_ENGINE_IDLE" help:"End after this long without a client; 0: never."`
	TCP  string        `placeholder:"HOST:PORT" help:"Listen on TCP in place of the socket, for use through a tunnel; prints the token that clients need (that of METAMERS_ENGINE_TOKEN, else a new one). Without a host: loopback. Runs are kept in METAMERS_RUNS here, and clients get copies."`
}

func (c *engineServeCmd) Run(ctx context.Context, g *globals) error {
	e, err := g.engine()
	if err != nil {
		return err
	}
	h := server.New(e)
	h.Extra = extras
	s := &server.Server{Service: h, Backend: string(e.Backend.Kind), Loaded: e.Loaded, Idle: c.Idle, Rested: backend.GiveBack}
	if c.TCP != "" {
		if h.Store, err = openStore(os.Getenv("METAMERS_RUNS")); err != nil {
			return err
		}
		l, token, err := server.ListenTCP(c.TCP)
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
	dir, err := api.Dir(g.Backend)
	if err != nil {
		return err
	}
	l, release, err := server.Listen(dir)
	if err != nil {
		return err
	}
	return errors.Join(s.Serve(ctx, l), release())
}

type engineStartCmd struct{}

func (engineStartCmd) Run(ctx context.Context, g *globals) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	c := g.client()
	c.Program, c.Direct, c.Say = self, true, func(text string) { fmt.Fprintln(os.Stderr, text) }
	return c.Start(ctx)
}

// client is one of the engine that the flags and the environment name.
func (g *globals) client() *client.Client { return &client.Client{Backend: g.Backend} }

// engineImagesCmd opens images for a client whose engine is on another machine.
type engineImagesCmd struct {
	Size int      `help:"Pixels a side."`
	Spec []string `arg:"" help:"An image set."`
}

// Run writes an api.Put to standard output.
func (c *engineImagesCmd) Run() error {
	o := images.Options{Size: c.Size}
	open := func() (*images.Set, error) { return images.Open(c.Spec, o) }
	if len(c.Spec) == 1 {
		open = func() (*images.Set, error) { return images.OpenLine(c.Spec[0], o) }
	}
	set, err := open()
	if err != nil {
		return err
	}
	for _, n := range set.Notes {
		fmt.Fprintln(os.Stderr, n)
	}
	return gob.NewEncoder(os.Stdout).Encode(api.Put{Images: *api.LightImages(set), Pixels: set.Pixels})
}

type engineStatusCmd struct{}

func (engineStatusCmd) Run(ctx context.Context, g *globals) error {
	st, err := g.client().Status(ctx)
	if err != nil {
		return unlessGone(err)
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
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return unlessGone(g.client().Stop(ctx))
}

// unlessGone returns an error of a client. If no engine runs, it prints that and returns nil.
func unlessGone(err error) error {
	var gone *client.UnreachableError
	if errors.As(err, &gone) {
		fmt.Println("no engine runs")
		return nil
	}
	return err
}
