//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/remote"
)

// asClient makes the test's own binary a program that asks the engine for a run.
const asClient = "METAMERS_TEST_AS_CLIENT"

// request is what a notebook cell would ask: the recipe of campaign.synth.
func request(store string, seed int) (q api.Synthesis, err error) {
	q = api.Synthesis{CheckpointEvery: 5 * time.Millisecond, Recipe: metamer.Recipe{
		Models: []metamer.ModelRef{{Name: "plain7_48.mm_c10"}}, Stage: "early", Steps: 16, Batch: 1, Seed: uint64(seed), Schedule: metamer.Schedule{Kind: "switch", Every: 10},
		Optimizer: metamer.Optimizer{Name: "pgd"}, Loss: "relative-l2", Start: metamer.Start{Kind: "noise"},
	}}
	if q.Images, err = images.Open([]string{"photos:2"}, images.Options{Size: 32}); err != nil {
		return q, err
	}
	q.Store = store
	return q, nil
}

// client is the program of asClient: METAMERS_TEST_AS_CLIENT is the store.
func client(store string) error {
	q, err := request(store, 1)
	if err != nil {
		return err
	}
	c, err := remote.Connect(context.Background(), remote.Options{Backend: "go"})
	if err != nil {
		return err
	}
	_, err = c.Synthesize(context.Background(), q)
	return err
}

// engine is one of this test's own.
func (c *campaign) engine() (cl *remote.Client, pid int) {
	c.t.Helper()
	home, err := os.MkdirTemp("", "f")
	if err != nil {
		c.t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		c.t.Fatal(err)
	}
	for k, v := range map[string]string{"METAMERS_ENGINE_DIR": home, "METAMERS_ENGINE": "", "METAMERS_PROGRAM": self, asMain: "1", "METAMERS_ENGINE_IDLE": "20s", "METAMERS_DATA": data(c.t)} {
		c.t.Setenv(k, v)
	}
	cl, pid = c.connect()
	c.t.Cleanup(func() {
		if now, err := (remote.Options{Backend: "go"}).Client(); err == nil {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			now.Stop(ctx)
		}
		os.RemoveAll(home)
	})
	return cl, pid
}

func (c *campaign) connect() (*remote.Client, int) {
	c.t.Helper()
	c.starts++
	cl, err := remote.Connect(context.Background(), remote.Options{Backend: "go"})
	if err != nil {
		c.t.Fatalf("seed %d: no engine: %v", c.seed, err)
	}
	st, err := cl.Status(context.Background())
	if err != nil {
		c.t.Fatalf("seed %d: no engine: %v", c.seed, err)
	}
	return cl, st.PID
}

// ask asks for a run and expects the truth.
func (c *campaign) ask(cl *remote.Client, dir, after string) {
	c.t.Helper()
	q, err := request(dir, 1)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := cl.Synthesize(context.Background(), q); err != nil {
		c.stalled++
		c.t.Errorf("seed %d: after %s the engine does not go on: %v", c.seed, after, err)
	}
	c.look(dir, after, c.ids[1])
}

func engineKilled(c *campaign) string {
	dir := c.dir()
	cl, pid := c.engine()
	q, err := request(dir, 1)
	if err != nil {
		c.t.Fatal(err)
	}
	timer := time.AfterFunc(c.moment()/2, func() { syscall.Kill(pid, syscall.SIGKILL) })
	_, err = cl.Synthesize(context.Background(), q)
	timer.Stop()
	if err != nil {
		c.kills["engine"]++
		var lost *remote.LostError
		var gone *remote.UnreachableError
		if !errors.As(err, &lost) && !errors.As(err, &gone) {
			c.t.Errorf("seed %d: the engine was killed, and the client says %v", c.seed, err)
		}
	}
	c.look(dir, "a kill of the engine")
	cl, _ = c.connect()
	c.ask(cl, dir, "a kill of the engine")
	return ""
}

func clientKilled(c *campaign) string {
	dir := c.dir()
	cl, _ := c.engine()
	self, err := os.Executable()
	if err != nil {
		c.t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), asClient+"="+dir)
	killed, out := c.kill("client", cmd)
	if !killed && strings.TrimSpace(out) != "" {
		c.t.Errorf("seed %d: a client says %s", c.seed, out)
	}
	for end := time.Now().Add(5 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		st, err := cl.Status(context.Background())
		if err != nil {
			c.t.Fatalf("seed %d: after a kill of a client: %v", c.seed, err)
		}
		if st.Working == 0 {
			break
		}
		if time.Now().After(end) {
			c.t.Fatalf("seed %d: five minutes after its client was killed the engine still works for it", c.seed)
		}
	}
	c.look(dir, "a kill of a client")
	c.ask(cl, dir, "a kill of a client")
	return ""
}

// socketCut cuts the connection after a random number of bytes, either way.
func socketCut(c *campaign) string {
	dir := c.dir()
	cl, _ := c.engine()
	socket, err := remote.Dir("go")
	if err != nil {
		c.t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(socket, "cut"))
	if err != nil {
		c.t.Fatal(err)
	}
	defer l.Close()
	var left atomic.Int64
	left.Store(int64(c.rng.IntN(60_000)))
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("unix", filepath.Join(socket, "socket"))
			if err != nil {
				in.Close()
				continue
			}
			pump := func(to, from net.Conn) {
				defer in.Close()
				defer out.Close()
				b := make([]byte, 512)
				for {
					n, err := from.Read(b)
					if err != nil || left.Add(int64(-n)) < 0 {
						return
					}
					if _, err := to.Write(b[:n]); err != nil {
						return
					}
				}
			}
			go pump(out, in)
			go pump(in, out)
		}
	}()
	through, err := remote.Dial("unix:"+l.Addr().String(), "")
	if err != nil {
		c.t.Fatal(err)
	}
	q, err := request(dir, 1)
	if err != nil {
		c.t.Fatal(err)
	}
	if run, err := through.Synthesize(context.Background(), q); err == nil && run.ID != c.ids[1] {
		c.t.Errorf("seed %d: through a socket that was cut came run %s", c.seed, run.ID)
	} else if err != nil {
		c.said("a cut socket", fmt.Sprint(err), "engine", "EOF", "closed", "reset", "broken pipe")
	}
	c.look(dir, "a cut socket")
	c.ask(cl, dir, "a cut socket")
	return ""
}
