package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/people/serve"
)

type experimentServeCmd struct {
	Folder       string `arg:"" help:"Folder of an experiment." type:"existingdir"`
	Address      string `default:"127.0.0.1:8765" help:"Address to listen on. Only this machine reaches the default; 0.0.0.0:8765 is reached from the lab's network, unencrypted."`
	Participants int    `default:"20" help:"Number of links. Further links are made when it is raised."`
	Base         string `help:"How participants reach the server, if not by --address, such as https://lab.example." placeholder:"URL"`
}

func (c *experimentServeCmd) Help() string {
	return `Each participant has a link of their own, which works once and in one browser. A reload goes
on where it was. Each row is on the disk before the page goes on, so that a killed server
loses nothing; start it again with the same command. Links are in FOLDER/links.csv, answers
in FOLDER/data.

Example:
  metamers experiment serve exp --participants 20`
}

func (c *experimentServeCmd) Run(ctx context.Context) error {
	if c.Participants < 1 {
		return fmt.Errorf("--participants is %d, expected at least 1", c.Participants)
	}
	s, err := serve.New(c.Folder, c.Participants)
	if err != nil {
		return err
	}
	defer s.Close()
	for _, n := range s.Notes {
		fmt.Fprintln(os.Stderr, "note:", n)
	}
	l, err := net.Listen("tcp", c.Address)
	if err != nil {
		return fmt.Errorf("experiment: --address: %w", err)
	}
	base := c.Base
	if base == "" {
		base = "http://" + l.Addr().String()
	}
	for _, link := range s.Links(base) {
		fmt.Println(link)
	}
	begun, done := s.Progress()
	fmt.Fprintf(os.Stderr, "serving %s: %d participants have begun, %d are done; Ctrl-C ends the server\n", c.Folder, begun, done)
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}
	stop := context.AfterFunc(ctx, func() {
		wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		server.Shutdown(wait) // rows on their way are stored
	})
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("experiment: %w", err)
	}
	begun, done = s.Progress()
	fmt.Fprintf(os.Stderr, "%d participants have begun, %d are done; their answers are in %s/data\n", begun, done, c.Folder)
	return nil
}
