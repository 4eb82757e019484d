//go:build unix

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

// campaign does harm to the program and its store, and after each time asks four
// things: is every run that looks finished the run it says it is, to the bit; is all
// finished work still there; does the next start go on to the same bits; did the
// message say what happened.
type campaign struct {
	t     *testing.T
	rng   *rand.Rand
	seed  uint64
	truth map[string][]float32 // metamers by run, made without faults
	ids   []string             // of the recipes, by seed
	whole string               // of faultPlan, once it was made

	faults, kills         map[string]int
	broken, lost, stalled int
	starts                int
	took                  time.Duration // a run without faults
}

const faultSeeds = 3

func newCampaign(t *testing.T, seed uint64) *campaign {
	t.Helper()
	c := &campaign{t: t, rng: rand.New(rand.NewPCG(seed, 0)), seed: seed, truth: map[string][]float32{}, faults: map[string]int{}, kills: map[string]int{}}
	dir := t.TempDir()
	for s := range faultSeeds {
		began := time.Now()
		if out, err := c.synth(dir, s).CombinedOutput(); err != nil {
			t.Fatalf("without any fault: %v: %s", err, out)
		}
		c.took = time.Since(began) // the first start warms up
	}
	st := c.open(dir)
	ids, err := st.IDs()
	if err != nil || len(ids) != faultSeeds {
		t.Fatalf("without any fault: runs %v, %v", ids, err)
	}
	c.ids = make([]string, faultSeeds)
	for _, id := range ids {
		run, err := st.Load(id)
		if err != nil {
			t.Fatal(err)
		}
		c.truth[id], c.ids[run.Recipe.Seed] = run.Metamers, id
	}
	return c
}

// synth is the work that is harmed: a second or less, with a checkpoint every few
// milliseconds.
func (c *campaign) synth(store string, seed int, env ...string) *exec.Cmd {
	c.starts++
	return program(c.t, append(env, "--backend", "go", "-q", "synth", "--models", "plain7_48.mm_c10", "--stage", "early", "--images", "photos:2", "--size", "32",
		"--batch", "1", "--optimizer", "pgd", "--steps", "16", "--checkpoint", "5ms", "--seed", fmt.Sprint(seed), "--store", store)...)
}

func (c *campaign) open(dir string) *runs.Store {
	c.t.Helper()
	s, err := runs.Open(dir)
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

// look holds the store against the truth. damaged runs may be there, as long as they
// are known to be; finished are those that must be.
func (c *campaign) look(dir, after string, finished ...string) {
	c.t.Helper()
	s := c.open(dir)
	for _, id := range finished {
		if _, err := s.Load(id); err != nil {
			c.lost++
			c.t.Errorf("seed %d: after %s the finished run %s is lost: %v", c.seed, after, id, err)
		}
	}
	ids, err := s.IDs()
	if err != nil {
		c.t.Fatal(err)
	}
	for _, id := range ids {
		run, err := s.Load(id)
		if err != nil {
			continue // known not to be whole
		}
		if want, ok := c.truth[id]; !ok || !slices.Equal(want, run.Metamers) {
			c.broken++
			c.t.Errorf("seed %d: after %s the run %s claims to be finished and is another", c.seed, after, id)
		}
	}
}

// goOn starts again, without a fault, and expects the truth. Messages of the start are
// returned.
func (c *campaign) goOn(dir, after string, seed int, env ...string) string {
	c.t.Helper()
	cmd := c.synth(dir, seed, env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.stalled++
		c.t.Errorf("seed %d: after %s the next start ends with %v: %s", c.seed, after, err, out)
		return string(out)
	}
	run, err := c.open(dir).Load(c.ids[seed])
	if err != nil || !slices.Equal(run.Metamers, c.truth[c.ids[seed]]) {
		c.broken++
		c.t.Errorf("seed %d: after %s the next start made another run (%v): %s", c.seed, after, err, out)
	}
	return string(out)
}

// said expects a message to say what happened.
func (c *campaign) said(after, text string, any ...string) {
	c.t.Helper()
	for _, want := range any {
		if strings.Contains(text, want) {
			return
		}
	}
	c.t.Errorf("seed %d: after %s the message is %q, expected one of %q", c.seed, after, text, any)
}

// moment is a random time within that of a run, or soon after.
func (c *campaign) moment() time.Duration {
	return time.Duration(c.rng.Float64() * 1.1 * float64(c.took))
}

// kill starts a command and kills it at a random moment, unless it has ended.
func (c *campaign) kill(kind string, cmd *exec.Cmd) (killed bool, out string) {
	c.t.Helper()
	var b bytes.Buffer
	cmd.Stdout, cmd.Stderr = &b, &b
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	timer := time.AfterFunc(c.moment(), func() { cmd.Process.Kill() })
	cmd.Wait()
	timer.Stop()
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		c.kills[kind]++
		return true, b.String()
	}
	return false, b.String()
}

// dir is a store of its own. Workers of a sweep that was killed may write to it while it
// is removed, which is no failure.
func (c *campaign) dir() string {
	c.t.Helper()
	d, err := os.MkdirTemp("", "store")
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { os.RemoveAll(d) })
	return d
}

// with makes one run of the store before the harm.
func (c *campaign) with(dir string, seed int) (id string) {
	c.t.Helper()
	if out, err := c.synth(dir, seed).CombinedOutput(); err != nil {
		c.t.Fatalf("%v: %s", err, out)
	}
	return c.ids[seed]
}

// fault is one kind of harm.
type fault struct {
	name string
	do   func(c *campaign) (skip string)
}

var faultKinds = []fault{
	{"a worker killed", func(c *campaign) string {
		dir := c.dir()
		done := c.with(dir, 0)
		for range 3 {
			c.kill("worker", c.synth(dir, 1))
			c.look(dir, "a kill", done)
		}
		c.goOn(dir, "kills", 1)
		c.look(dir, "kills", done, c.ids[1])
		return ""
	}},
	{"two of the same at once, one killed", func(c *campaign) string {
		dir := c.dir()
		other := c.synth(dir, 1)
		var b bytes.Buffer
		other.Stdout, other.Stderr = &b, &b
		if err := other.Start(); err != nil {
			c.t.Fatal(err)
		}
		c.kill("worker", c.synth(dir, 1))
		if err := other.Wait(); err != nil {
			c.stalled++
			c.t.Errorf("seed %d: the other of two ends with %v: %s", c.seed, err, b.String())
		}
		c.look(dir, "two at once", c.ids[1])
		return ""
	}},
	{"two of the same at once", func(c *campaign) string {
		dir := c.dir()
		pair := []*exec.Cmd{c.synth(dir, 1), c.synth(dir, 1)}
		var out [2]bytes.Buffer
		for i, p := range pair {
			p.Stdout, p.Stderr = &out[i], &out[i]
			if err := p.Start(); err != nil {
				c.t.Fatal(err)
			}
		}
		for i, p := range pair {
			if err := p.Wait(); err != nil {
				c.stalled++
				c.t.Errorf("seed %d: one of two ends with %v: %s", c.seed, err, out[i].String())
			}
		}
		c.look(dir, "two at once", c.ids[1])
		return ""
	}},
	{"a byte of a finished run", func(c *campaign) string {
		dir := c.dir()
		id := c.with(dir, 0)
		file := c.anyFile(filepath.Join(dir, id))
		c.flip(file)
		c.look(dir, "a byte of "+filepath.Base(file))
		out := c.goOn(dir, "a byte of "+filepath.Base(file), 0)
		c.said("a byte of "+file, out, "set aside")
		return ""
	}},
	{"a file of a finished run cut or gone", func(c *campaign) string {
		dir := c.dir()
		id := c.with(dir, 0)
		file := c.anyFile(filepath.Join(dir, id))
		err := os.Remove(file)
		if c.rng.IntN(2) == 0 {
			err = os.WriteFile(file, nil, 0o644)
		}
		if err != nil {
			c.t.Fatal(err)
		}
		c.look(dir, "the loss of "+filepath.Base(file))
		out := c.goOn(dir, "the loss of "+filepath.Base(file), 0)
		c.said("the loss of "+file, out, "set aside")
		return ""
	}},
	{"bytes of a checkpoint", func(c *campaign) string {
		dir := c.dir()
		file := filepath.Join(dir, "."+c.ids[1]+".checkpoint")
		for range 5 {
			if killed, _ := c.kill("worker", c.synth(dir, 1)); !killed {
				return ""
			}
			if _, err := os.Stat(file); err == nil {
				break
			}
		}
		if _, err := os.Stat(file); err != nil {
			return ""
		}
		if _, err := c.open(dir).Load(c.ids[1]); err == nil {
			return "" // killed between the run and the removal of its checkpoint
		}
		c.flip(file)
		out := c.goOn(dir, "a byte of a checkpoint", 1)
		c.said("a byte of a checkpoint", out, "is damaged")
		return ""
	}},
	{"bytes of kept rows", func(c *campaign) string {
		dir := c.dir()
		id := c.with(dir, 0)
		eval := func() string {
			c.starts++
			out := filepath.Join(c.t.TempDir(), "rows.csv")
			b, err := program(c.t, "--backend", "go", "-q", "eval", id, "--store", dir, "--measures", "recognizability", "--observers", "plain7_48.mm_c10", "--out", out).CombinedOutput()
			if err != nil {
				c.t.Fatalf("%v: %s", err, b)
			}
			rows, err := os.ReadFile(out)
			if err != nil {
				c.t.Fatal(err)
			}
			return string(rows)
		}
		want := eval()
		c.flip(c.anyFile(filepath.Join(dir, id, "rows")))
		if got := eval(); got != want {
			c.broken++
			c.t.Errorf("seed %d: after a byte of kept rows the evaluation gives other rows:\n%s\n%s", c.seed, got, want)
		}
		return ""
	}},
	{"bytes of weights", func(c *campaign) string {
		cache, dir := c.t.TempDir(), c.dir()
		env := "METAMERS_CACHE=" + cache
		if out, err := c.synth(dir, 0, env).CombinedOutput(); err != nil {
			c.t.Fatalf("%v: %s", err, out)
		}
		c.flip(c.anyFile(filepath.Join(cache, "carried")))
		c.goOn(dir, "a byte of weights", 1, env)
		c.look(dir, "a byte of weights", c.ids[0], c.ids[1])
		return ""
	}},
	{"a store full of half-written files", func(c *campaign) string {
		dir := c.dir()
		done := c.with(dir, 0)
		c.litter(dir)
		c.look(dir, "litter", done)
		c.goOn(dir, "litter", 1)
		c.goOn(dir, "litter", 2)
		c.look(dir, "litter", done, c.ids[1], c.ids[2])
		if out, err := program(c.t, "runs", "gc", "--store", dir, "--older", "1ms", "--damaged").CombinedOutput(); err != nil {
			c.t.Errorf("seed %d: runs gc in litter: %v: %s", c.seed, err, out)
		}
		c.look(dir, "gc", done, c.ids[1], c.ids[2])
		return ""
	}},
	{"no file may grow", func(c *campaign) string {
		dir := c.dir()
		done := c.with(dir, 0)
		cmd := c.synth(dir, 1)
		// As a quota does: writing beyond so many half kilobytes fails.
		cmd.Args = append([]string{"sh", "-c", `trap "" XFSZ; ulimit -f "$0"; exec "$@"`, fmt.Sprint(c.rng.IntN(60)), cmd.Path}, cmd.Args[1:]...)
		cmd.Path = "/bin/sh"
		if out, err := cmd.CombinedOutput(); err != nil {
			c.said("a limit of file sizes", string(out), "file too large", "SIGXFSZ")
		}
		c.look(dir, "a limit of file sizes", done)
		c.goOn(dir, "a limit of file sizes", 1)
		return ""
	}},
	{"a full disk", fullDisk},
	{"a store that is read-only", readOnly},
	{"the engine killed", engineKilled},
	{"a client of the engine killed", clientKilled},
	{"a socket cut", socketCut},
}

// anyFile is a random file below dir.
func (c *campaign) anyFile(dir string) string {
	c.t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			all = append(all, p)
		}
		return err
	})
	if err != nil || len(all) == 0 {
		c.t.Fatalf("no file in %s: %v", dir, err)
	}
	return all[c.rng.IntN(len(all))]
}

// flip changes one bit of a file.
func (c *campaign) flip(path string) {
	c.t.Helper()
	data, err := os.ReadFile(path)
	if err != nil || len(data) == 0 {
		c.t.Fatal(path, err)
	}
	data[c.rng.IntN(len(data))] ^= 1 << c.rng.IntN(8)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		c.t.Fatal(err)
	}
}

// litter is what killed processes, full disks and other programs leave.
func (c *campaign) litter(dir string) {
	c.t.Helper()
	junk := make([]byte, c.rng.IntN(4096))
	for i := range junk {
		junk[i] = byte(c.rng.IntN(256))
	}
	id := c.ids[1]
	for _, p := range []string{
		"." + id + ".part-0123456789ab-1-7/recipe.json", "." + id + ".part-12/metamers.safetensors", "." + id + ".checkpoint", "." + id + ".lock",
		"." + id + ".checkpoint.new", ".writable-77", ".gone-" + id + "-1/recipe.json", ".damaged-" + id + "-1/recipe.json", ".recipe.json.0011223344556677.part",
		c.ids[2] + "/previews/000.png", c.ids[2] + "/recipe.json", // half a run, as a copy that was cut leaves it
		"0123456789abcdef", "notes.txt", c.ids[0] + "/rows/.aaaaaaaaaaaaaaaa.x.part", c.ids[0] + "/rows/junk.csv",
	} {
		p = filepath.Join(dir, p)
		if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(p, junk, 0o644)); err != nil {
			c.t.Fatal(err)
		}
	}
	for _, p := range []string{".damaged-" + c.ids[1], "fedcba9876543210"} {
		if err := os.MkdirAll(filepath.Join(dir, p), 0o755); err != nil {
			c.t.Fatal(err)
		}
	}
}

// TestFault does each kind of harm once, in any order, as long as its time lasts;
// with METAMERS_LONG=1 for METAMERS_FAULT_TIME (10m), each time other harm.
// METAMERS_FAULT_SEED repeats one.
func TestFault(t *testing.T) {
	long := os.Getenv("METAMERS_LONG") == "1"
	if testing.Short() {
		t.Skip("short")
	}
	limit, rounds := time.Minute, 1 // one round takes two thirds of it
	if long {
		limit, rounds = 10*time.Minute, 1<<30
	}
	if v := os.Getenv("METAMERS_FAULT_TIME"); v != "" {
		d, err := time.ParseDuration(v)
		if err != nil {
			t.Fatal(err)
		}
		limit = d
	}
	seed := uint64(1)
	if long {
		seed = uint64(time.Now().UnixNano())
	}
	if v := os.Getenv("METAMERS_FAULT_SEED"); v != "" {
		if _, err := fmt.Sscan(v, &seed); err != nil {
			t.Fatal(err)
		}
	}
	only := os.Getenv("METAMERS_FAULT_ONLY")
	c := newCampaign(t, seed)
	end := time.Now().Add(limit)
	skipped := map[string]string{}
	for round := 0; round < rounds && time.Now().Before(end) && !t.Failed(); round++ {
		for _, i := range c.rng.Perm(len(faultKinds)) {
			f := faultKinds[i]
			if time.Now().After(end) {
				break
			}
			if only != "" && !strings.Contains(f.name, only) {
				continue
			}
			t.Run(f.name, func(t *testing.T) {
				c.t = t
				if why := f.do(c); why != "" {
					skipped[f.name] = why
					t.Skip(why)
				}
				c.faults[f.name]++
			})
			c.t = t
		}
	}
	t.Logf("seed %d, %d starts of the program, broken results %d, lost finished work %d, next starts that did not go on %d", c.seed, c.starts, c.broken, c.lost, c.stalled)
	for _, k := range slices.Sorted(maps.Keys(c.faults)) {
		t.Logf("%5d %s", c.faults[k], k)
	}
	for _, k := range slices.Sorted(maps.Keys(c.kills)) {
		t.Logf("%5d kills of %s", c.kills[k], k)
	}
	for k, why := range skipped {
		t.Logf("skipped: %s: %s", k, why)
	}
}
