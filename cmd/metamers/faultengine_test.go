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
	"github.com/ensemble-metamers/metamers/metamerkit/client"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// asClient makes the test's own binary a program that asks the engine for a run.
const asClient = "METAMERS_TEST_AS_CLIENT"

// request is what a notebook cell would ask: the recipe of campaign.synth.
func request(store string, seed int) (put, q api.Request, err error) {
	s := &api.Synthesis{CheckpointEvery: 5 * time.Millisecond, Recipe: metamer.Recipe{
		Models: []metamer.ModelRef{{Name: "plain7_48.mm_c10"}}, Stage: "early", Steps: 16, Batch: 1, Seed: uint64(seed), Schedule: metamer.Schedule{Kind: "switch", Every: 10},
		Optimizer: metamer.Optimizer{Name: "pgd"}, Loss: "relative-l2", Start: metamer.Start{Kind: "noise"},
	}}
	set, err := images.Open([]string{"photos:2"}, images.Options{Size: 32})
	if err != nil {
		return put, q, err
	}
	s.Recipe.Images = metamer.ImageRef{Name: set.Name, SHA256: set.SHA256()}
	return api.Request{Put: &api.Put{Images: *api.LightImages(set), Pixels: set.Pixels}}, api.Request{Store: store, Synthesize: s}, nil
}

// askRun asks an engine for the run of a request and returns its ID.
func askRun(cl *client.Client, store string) (id string, err error) {
	put, q, err := request(store, 1)
	if err != nil {
		return "", err
	}
	quiet := func(api.Event) {}
	for {
		if _, err := cl.Do(context.Background(), put, quiet); err != nil {
			return "", err
		}
		reply, err := cl.Do(context.Background(), q, quiet)
		var missing *api.MissingImagesError
		if errors.As(err, &missing) { // the engine that had the images is gone, the client has started another
			continue
		}
		if err != nil {
			return "", err
		}
		return reply.Runs[0].ID, nil
	}
}

// askOnce is the program of asClient: METAMERS_TEST_AS_CLIENT is the store.
func askOnce(store string) error {
	_, err := askRun(&client.Client{Backend: "go"}, store)
	return err
}

// engine is one of this test's own.
func (c *campaign) engine() (cl *client.Client, pid int) {
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
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		(&client.Client{Backend: "go"}).Stop(ctx)
		os.RemoveAll(home)
	})
	return cl, pid
}

func (c *campaign) connect() (*client.Client, int) {
	c.t.Helper()
	c.starts++
	cl := &client.Client{Backend: "go"}
	if err := cl.Start(context.Background()); err != nil {
		c.t.Fatalf("seed %d: no engine: %v", c.seed, err)
	}
	st, err := cl.Status(context.Background())
	if err != nil {
		c.t.Fatalf("seed %d: no engine: %v", c.seed, err)
	}
	return cl, st.PID
}

// ask asks for a run and expects the truth.
func (c *campaign) ask(cl *client.Client, dir, after string) {
	c.t.Helper()
	if _, err := askRun(cl, dir); err != nil {
		c.stalled++
		c.t.Errorf("seed %d: after %s the engine does not go on: %v", c.seed, after, err)
	}
	c.look(dir, after, c.ids[1])
}

func engineKilled(c *campaign) string {
	dir := c.dir()
	cl, pid := c.engine()
	timer := time.AfterFunc(c.moment()/2, func() { syscall.Kill(pid, syscall.SIGKILL) })
	_, err := askRun(cl, dir)
	timer.Stop()
	if err != nil {
		c.kills["engine"]++
		var lost *client.LostError
		var gone *client.UnreachableError
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
	socket, err := api.Dir("go")
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
	through := &client.Client{Address: "unix:" + l.Addr().String()}
	if id, err := askRun(through, dir); err == nil && id != c.ids[1] {
		c.t.Errorf("seed %d: through a socket that was cut came run %s", c.seed, id)
	} else if err != nil {
		c.said("a cut socket", fmt.Sprint(err), "engine", "EOF", "closed", "reset", "broken pipe")
	}
	c.look(dir, "a cut socket")
	c.ask(cl, dir, "a cut socket")
	return ""
}
