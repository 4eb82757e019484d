//go:build unix

package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

// faultPlan has two blocks and their evaluation.
const faultPlan = `name: fault
images: photos:2
size: 32
sets: [[plain7_48.mm_c10]]
stages: [early]
observers: [plain7_48.mm_c10]
measures: [recognizability]
bootstrap: 100
settings: {paper: true, steps: 16, batch: 1}
sweep: {block: 1, checkpoint: 5ms}
`

// sweep is a sweep of faultPlan in a store, by two workers.
func (c *campaign) sweep(store string, env ...string) *exec.Cmd {
	c.t.Helper()
	c.starts++
	plan := filepath.Join(c.t.TempDir(), "plan.yaml")
	if err := os.WriteFile(plan, []byte(faultPlan), 0o644); err != nil {
		c.t.Fatal(err)
	}
	return program(c.t, append(env, "--backend", "go", "-q", "sweep", plan, "--store", store, "--workers", "2")...)
}

// swept makes the runs of faultPlan part of the truth, and returns the whole one.
func (c *campaign) swept() (whole string) {
	c.t.Helper()
	if c.whole != "" {
		return c.whole
	}
	dir := c.dir()
	if out, err := c.sweep(dir).CombinedOutput(); err != nil {
		c.t.Fatalf("without any fault: %v: %s", err, out)
	}
	s := c.open(dir)
	ids, err := s.IDs()
	if err != nil || len(ids) != 3 {
		c.t.Fatalf("a sweep without any fault made the runs %v, %v", ids, err)
	}
	for _, id := range ids {
		run, err := s.Load(id)
		if err != nil {
			c.t.Fatal(err)
		}
		c.truth[id] = run.Metamers
		if run.Recipe.Images.Count == 2 {
			c.whole = id
		}
	}
	return c.whole
}

// twoSweeps carries one plan out twice at once; one is killed with its workers, or
// both end.
func twoSweeps(c *campaign) string {
	whole, dir := c.swept(), c.dir()
	kill := c.rng.IntN(3) > 0
	var cmds [2]*exec.Cmd
	var out [2]bytes.Buffer
	for i := range cmds {
		cmds[i] = c.sweep(dir)
		cmds[i].Stdout, cmds[i].Stderr = &out[i], &out[i]
		if err := cmds[i].Start(); err != nil {
			c.t.Fatal(err)
		}
	}
	if kill {
		time.AfterFunc(2*c.moment(), func() { cmds[0].Process.Kill() })
	}
	for i, cmd := range cmds {
		err := cmd.Wait()
		if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() && i == 0 && kill {
			c.kills["sweep"]++
		} else if err != nil {
			c.stalled++
			c.t.Errorf("seed %d: two sweeps at once: one ends with %v: %s", c.seed, err, out[i].String())
		}
	}
	c.look(dir, "two sweeps at once", whole)
	if text, err := c.sweep(dir).CombinedOutput(); err != nil {
		c.stalled++
		c.t.Errorf("seed %d: after two sweeps at once the next start ends with %v: %s", c.seed, err, text)
	}
	return ""
}

// sweepKilled kills a sweep at random moments until it is through.
func sweepKilled(c *campaign) string {
	whole, dir := c.swept(), c.dir()
	for range 3 {
		c.kill("sweep", c.sweep(dir))
		c.look(dir, "a kill of a sweep")
	}
	if out, err := c.sweep(dir).CombinedOutput(); err != nil {
		c.stalled++
		c.t.Errorf("seed %d: after kills of a sweep the next start ends with %v: %s", c.seed, err, out)
	}
	c.look(dir, "kills of a sweep", whole)
	return ""
}

// slowObjects is an object store that takes its time and cuts answers; workers are
// killed, and another machine goes on.
func slowObjects(c *campaign) string {
	memory := s3mem.New()
	if err := memory.CreateBucket("lab"); err != nil {
		c.t.Fatal(err)
	}
	inner := gofakes3.New(memory).Server()
	var mu sync.Mutex
	ill := true
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		wait, cut := time.Duration(c.rng.IntN(60))*time.Millisecond, ill && c.rng.IntN(20) == 0
		mu.Unlock()
		time.Sleep(wait)
		if cut {
			panic(http.ErrAbortHandler)
		}
		inner.ServeHTTP(w, r)
	}))
	defer s.Close()
	machine := func() []string {
		return []string{"METAMERS_CACHE=" + c.t.TempDir(), "AWS_ACCESS_KEY_ID=key", "AWS_SECRET_ACCESS_KEY=secret", "AWS_REGION=us-east-1"}
	}
	url, env := "s3://lab/one?endpoint="+s.URL, machine()
	random := func(cmd *exec.Cmd) { // c.rng is the server's too
		mu.Lock()
		after := c.moment()
		mu.Unlock()
		var b bytes.Buffer
		cmd.Stdout, cmd.Stderr = &b, &b
		if err := cmd.Start(); err != nil {
			c.t.Fatal(err)
		}
		timer := time.AfterFunc(after, func() { cmd.Process.Kill() })
		defer timer.Stop()
		if err := cmd.Wait(); err == nil {
			return
		}
		if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			c.kills["worker"]++
			return
		}
		c.said("a cut answer of the object store", b.String(), "EOF", "connection", "retry", "retries")
	}
	for range 2 {
		random(c.synth(url, 1, env...))
	}
	mu.Lock()
	ill = false
	mu.Unlock()
	other := machine() // another machine goes on with what the store has
	if out, err := c.synth(url, 1, other...).CombinedOutput(); err != nil {
		c.stalled++
		c.t.Errorf("seed %d: after kills with a slow object store the next start ends with %v: %s", c.seed, err, out)
		return ""
	}
	for _, kv := range other {
		k, v, _ := strings.Cut(kv, "=")
		c.t.Setenv(k, v)
	}
	st, err := runs.Open(url)
	if err != nil {
		c.t.Fatal(err)
	}
	run, err := st.Load(c.ids[1])
	if err != nil || !slices.Equal(run.Metamers, c.truth[c.ids[1]]) {
		c.broken++
		c.t.Errorf("seed %d: the object store holds another run: %v", c.seed, err)
	}
	return ""
}

func init() {
	faultKinds = append(faultKinds,
		fault{"two sweeps of one plan at once", twoSweeps},
		fault{"a sweep killed", sweepKilled},
		fault{"a slow object store that cuts answers, workers killed", slowObjects},
	)
}
