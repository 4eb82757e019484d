package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// network shows a folder as a network file system would on a bad day. It is one
// machine's view: two of one folder know nothing of each other's locks and caches.
type network struct {
	fuse.RawFileSystem
	slow  time.Duration // most that an operation takes
	locks fuse.Status   // what locking answers
	lost  float64       // share of renames that are done and whose answer is lost: they are repeated, and fail

	mu      sync.Mutex
	rng     *rand.Rand
	waited  time.Duration
	renames int // whose answer was lost
}

func (n *network) wait() {
	n.mu.Lock()
	d := time.Duration(n.rng.Float64() * n.rng.Float64() * float64(n.slow))
	n.waited += d
	n.mu.Unlock()
	time.Sleep(d)
}

func (n *network) Lookup(cancel <-chan struct{}, h *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	n.wait()
	return n.RawFileSystem.Lookup(cancel, h, name, out)
}

func (n *network) Mkdir(cancel <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	n.wait()
	return n.RawFileSystem.Mkdir(cancel, in, name, out)
}

func (n *network) Unlink(cancel <-chan struct{}, h *fuse.InHeader, name string) fuse.Status {
	n.wait()
	return n.RawFileSystem.Unlink(cancel, h, name)
}

func (n *network) Create(cancel <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	n.wait()
	return n.RawFileSystem.Create(cancel, in, name, out)
}

func (n *network) Open(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	n.wait()
	return n.RawFileSystem.Open(cancel, in, out)
}

func (n *network) Read(cancel <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	n.wait()
	return n.RawFileSystem.Read(cancel, in, buf)
}

func (n *network) Write(cancel <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	n.wait()
	return n.RawFileSystem.Write(cancel, in, data)
}

func (n *network) Fsync(cancel <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	n.wait()
	return n.RawFileSystem.Fsync(cancel, in)
}

func (n *network) Rename(cancel <-chan struct{}, in *fuse.RenameIn, from, to string) fuse.Status {
	n.wait()
	st := n.RawFileSystem.Rename(cancel, in, from, to)
	n.mu.Lock()
	defer n.mu.Unlock()
	if st == fuse.OK && n.rng.Float64() < n.lost {
		n.renames++
		return fuse.ENOENT // the repeated request finds no such file
	}
	return st
}

func (n *network) GetLk(<-chan struct{}, *fuse.LkIn, *fuse.LkOut) fuse.Status { return n.locks }
func (n *network) SetLk(<-chan struct{}, *fuse.LkIn) fuse.Status              { return n.locks }
func (n *network) SetLkw(<-chan struct{}, *fuse.LkIn) fuse.Status             { return n.locks }

// mount shows dir through n at a folder of its own.
func (c *campaign) mount(dir string, n *network) (at, skip string) {
	root, err := fs.NewLoopbackRoot(dir)
	if err != nil {
		c.t.Fatal(err)
	}
	n.rng = rand.New(rand.NewPCG(c.rng.Uint64(), 0))
	n.RawFileSystem = fs.NewNodeFS(root, &fs.Options{})
	at = c.dir()
	server, err := fuse.NewServer(n, at, &fuse.MountOptions{DirectMountStrict: true, EnableLocks: true, Name: "fault", FsName: dir})
	if err != nil {
		return "", fmt.Sprintf("no FUSE can be mounted: %v", err)
	}
	go server.Serve()
	if err := server.WaitMount(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		if server.Unmount() != nil {
			syscall.Unmount(at, syscall.MNT_DETACH)
		}
	})
	return at, ""
}

// slowStore kills workers whose store takes its time.
func slowStore(c *campaign) string {
	dir := c.dir()
	done := c.with(dir, 0)
	n := &network{slow: 40 * time.Millisecond}
	at, skip := c.mount(dir, n)
	if skip != "" {
		return skip
	}
	for range 2 {
		c.kill("worker", c.synth(at, 1))
		c.look(dir, "a kill in a slow store", done)
	}
	c.goOn(at, "kills in a slow store", 1)
	c.look(dir, "kills in a slow store", done, c.ids[1])
	if n.waited < 10*time.Millisecond {
		c.t.Errorf("seed %d: the slow store took %v in all", c.seed, n.waited)
	}
	return ""
}

// noLocks has two machines make one run, whose folder has no locks or shows to each
// machine its own only.
func noLocks(c *campaign) string {
	dir := c.dir()
	locks := fuse.OK
	if c.rng.IntN(2) == 0 {
		locks = fuse.Status(syscall.ENOLCK)
	}
	var cmds [2]*exec.Cmd
	var out [2]bytes.Buffer
	for i := range cmds {
		at, skip := c.mount(dir, &network{slow: 5 * time.Millisecond, locks: locks})
		if skip != "" {
			return skip
		}
		cmds[i] = c.synth(at, 1)
		cmds[i].Stdout, cmds[i].Stderr = &out[i], &out[i]
	}
	c.both(cmds[:], out[:], "two machines without each other's locks")
	c.look(dir, "two machines without each other's locks", c.ids[1])
	return ""
}

// sweepsWithoutLocks is two machines that carry one plan out in such a folder.
func sweepsWithoutLocks(c *campaign) string {
	whole, dir := c.swept(), c.dir()
	locks := fuse.OK
	if c.rng.IntN(2) == 0 {
		locks = fuse.Status(syscall.ENOLCK)
	}
	// One path for both, as in a lab: the store's name is part of what a sweep is.
	at, skip := c.mount(dir, &network{slow: 2 * time.Millisecond, locks: locks})
	if skip != "" {
		return skip
	}
	var out [2]bytes.Buffer
	cmds := []*exec.Cmd{c.sweep(at), c.sweep(at)}
	for i := range cmds {
		cmds[i].Stdout, cmds[i].Stderr = &out[i], &out[i]
	}
	c.both(cmds, out[:], "two sweeps without locks")
	c.look(dir, "two sweeps without locks", whole)
	return ""
}

// both starts commands at once and expects all to end well.
func (c *campaign) both(cmds []*exec.Cmd, out []bytes.Buffer, after string) {
	c.t.Helper()
	for _, cmd := range cmds {
		if err := cmd.Start(); err != nil {
			c.t.Fatal(err)
		}
	}
	for i, cmd := range cmds {
		if err := cmd.Wait(); err != nil {
			c.stalled++
			c.t.Errorf("seed %d: %s: one ends with %v: %s", c.seed, after, err, out[i].String())
		}
	}
}

// lostAnswers repeats renames that were done, as a network folder does.
func lostAnswers(c *campaign) string {
	dir := c.dir()
	done := c.with(dir, 0)
	n := &network{lost: 0.5}
	at, skip := c.mount(dir, n)
	if skip != "" {
		return skip
	}
	var exit *exec.ExitError
	for range 2 {
		if out, err := c.synth(at, 1).CombinedOutput(); errors.As(err, &exit) {
			c.said("a lost answer", string(out), "no such file or directory")
		}
		c.look(dir, "lost answers", done)
	}
	if n.renames == 0 {
		return "no answer got lost"
	}
	n.mu.Lock()
	n.lost = 0
	n.mu.Unlock()
	c.goOn(at, "lost answers", 1)
	c.look(dir, "lost answers", done, c.ids[1])
	return ""
}

// standsStill stops a worker for a while, as a machine that swaps does, while another
// begins the same run.
func standsStill(c *campaign) string {
	dir := c.dir()
	var cmds [2]*exec.Cmd
	var out [2]bytes.Buffer
	for i := range cmds {
		cmds[i] = c.synth(dir, 1)
		cmds[i].Stdout, cmds[i].Stderr = &out[i], &out[i]
	}
	time.AfterFunc(c.moment(), func() {
		if p := cmds[0].Process; p != nil && p.Signal(syscall.SIGSTOP) == nil {
			time.Sleep(700 * time.Millisecond)
			p.Signal(syscall.SIGCONT)
		}
	})
	c.both(cmds[:], out[:], "a worker that stood still")
	c.look(dir, "a worker that stood still", c.ids[1])
	return ""
}

func init() {
	faultKinds = append(faultKinds,
		fault{"a slow store, workers killed", slowStore},
		fault{"a store without locks, two of the same at once", noLocks},
		fault{"a store without locks, two sweeps at once", sweepsWithoutLocks},
		fault{"a store that loses answers", lostAnswers},
		fault{"a worker that stands still", standsStill},
	)
}
