package client

import (
	"bytes"
	"context"
	"encoding/gob"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
)

// Why an engine does not start is said once, in the words of the command.
func TestStartFails(t *testing.T) {
	program := filepath.Join(t.TempDir(), "metamers")
	for script, want := range map[string][2]string{
		"echo one >&2; echo 'metamers: client: no' >&2; echo log >&2; exit 1": {"one\n", "client: no\nlog"},
		"printf 'one\\nmetamers: no\\n' >&2; exit 1":                          {"one\n", "no"},
		"echo odd >&2; exit 3": {"odd\n", "client: starting the engine: exit status 3"},
	} {
		if err := os.WriteFile(program, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		t.Setenv("METAMERS_ENGINE", "")
		t.Setenv("METAMERS_BACKEND", "")
		t.Setenv("METAMERS_ENGINE_DIR", t.TempDir())
		var said bytes.Buffer
		c := &Client{Program: program, Say: func(text string) { fmt.Fprintln(&said, text) }}
		_, err := c.Do(context.Background(), api.Request{Models: &api.Models{}}, func(api.Event) {})
		if err == nil || err.Error() != want[1] || said.String() != want[0] {
			t.Errorf("%s: %q, error %q", script, said.String(), err)
		}
	}
}

// Of two engines that are started at the same moment one ends. Whoever started that one
// waits until the other listens.
func TestStartedTwice(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "metamers")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho \"metamers: server: "+api.RunsAlready(dir)+"\" >&2\n: >"+dir+"/ended\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	started := make(chan error, 1)
	go func() {
		_, err := (&Client{Program: program, Patience: time.Hour}).start(t.Context(), dir)
		started <- err
	}()
	for there := false; !there; time.Sleep(time.Millisecond) {
		_, err := os.Stat(filepath.Join(dir, "ended"))
		there = err == nil
	}
	time.Sleep(100 * time.Millisecond) // the later the other one listens, the harder; none is too late
	l, err := net.Listen("unix", api.Socket(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = gob.NewEncoder(c).Encode(api.Event{Hello: &api.Status{Protocol: api.Protocol}}) // the client looks
		}
	}()
	if err := <-started; err != nil {
		t.Error(err)
	}
}
