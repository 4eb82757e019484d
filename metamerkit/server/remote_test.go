package server

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/client"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

// saving is an engine that keeps what it makes, and says what it was asked to measure.
type saving struct {
	fake
	measured api.Evaluation
}

func (f *saving) Synthesize(ctx context.Context, q api.Synthesis) (*metamer.Run, error) {
	r := q.Recipe.WithDefaults()
	r.Images = metamer.ImageRef{Name: q.Images.Name, Count: q.Images.Len(), Size: q.Images.Size, SHA256: q.Images.SHA256()}
	run := &metamer.Run{ID: r.ID(), Recipe: r, Metamers: q.Images.Pixels, Start: q.Images.Pixels, Trace: metamer.Trace{Step: []int{0}, Member: []int{0}, Image: []int{0}, Loss: [][]float32{{1, 2}}}}
	store, err := runs.Open(q.Store)
	if err != nil {
		return nil, err
	}
	w, there, err := store.Begin(ctx, r)
	if err != nil || there != nil {
		return there, err
	}
	return run, errors.Join(w.Finish(run, q.Extra(run)), w.Close())
}

func (f *saving) Evaluate(_ context.Context, q api.Evaluation) (metamer.Rows, error) {
	f.measured = q
	return metamer.Rows{{Run: q.Runs[0].ID, Value: float64(q.Images.Pixels[0])}}, nil
}

// wire counts what goes over a listener's connections.
type wire struct {
	net.Listener
	in, out atomic.Int64
}

type wireConn struct {
	net.Conn
	w *wire
}

func (l *wire) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return wireConn{c, l}, err
}

func (c wireConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.w.in.Add(int64(n))
	return n, err
}

func (c wireConn) Write(b []byte) (int, error) {
	c.w.out.Add(int64(len(b))) // before the client can have read them
	return c.Conn.Write(b)
}

func extra(text string) func(*images.Set) func(*metamer.Run) map[string]func(string) error {
	return func(*images.Set) func(*metamer.Run) map[string]func(string) error {
		return func(*metamer.Run) map[string]func(string) error {
			return map[string]func(string) error{"note": func(p string) error { return os.WriteFile(p, []byte(text), 0o644) }}
		}
	}
}

// An engine on another machine keeps runs in its own store and nothing in folders that
// have the names of the client's; the client gets a copy, whole, and sends images once.
func TestFar(t *testing.T) {
	here, there := filepath.Join(t.TempDir(), "runs"), filepath.Join(t.TempDir(), "runs")
	f := &saving{}
	store, err := runs.Open(there)
	if err != nil {
		t.Fatal(err)
	}
	plain, token, err := ListenTCP(":0")
	if err != nil {
		t.Fatal(err)
	}
	l := &wire{Listener: plain}
	h := New(f)
	h.Store, h.Extra = store, extra("there")
	serveOn(t, h, l, token)
	c, ctx := &client.Client{Address: "tcp:" + l.Addr().String(), Token: token}, context.Background()

	const n, size = 16, 32
	set := &images.Set{Name: "s", Size: size, Names: make([]string, n), Labels: make([]int, n), Pixels: make([]float32, n*size*size*3)}
	for i := range set.Pixels {
		set.Pixels[i] = float32(i%251) / 250
	}
	const whole = 4 * n * size * size * 3
	q := api.Request{Store: here, Synthesize: &api.Synthesis{Recipe: metamer.Recipe{Models: []metamer.ModelRef{{Name: "m"}}, Stage: "late", Images: ref(set)}}}
	var missing *api.MissingImagesError
	if _, err := c.Do(ctx, q, nothing); !errors.As(err, &missing) || missing.Images != ref(set) {
		t.Fatalf("images that were never sent: %v", err)
	}
	if _, err := c.Do(ctx, put(set), nothing); err != nil {
		t.Fatal(err)
	}
	near, err := runs.Open(here)
	if err != nil {
		t.Fatal(err)
	}
	var run *metamer.Run
	for i, x := range []string{"made", "found", "found by a client that has lost it"} {
		if i == 2 {
			if err := near.Remove(run.ID); err != nil {
				t.Fatal(err)
			}
		}
		in, out := l.in.Load(), l.out.Load()
		reply, err := c.Do(ctx, q, nothing)
		if err != nil {
			t.Fatalf("%s: %v", x, err)
		}
		run = reply.Runs[0]
		if run.Cached != (i > 0) || run.Dir != filepath.Join(here, run.ID) || run.Metamers != nil || len(run.Trace.Loss) != 1 {
			t.Errorf("%s: run %s in %q, cached %v, %d values", x, run.ID, run.Dir, run.Cached, len(run.Metamers))
		}
		if l.in.Load()-in > whole/10 || l.out.Load()-out > whole == (i == 1) {
			t.Errorf("%s: %d bytes sent, %d received", x, l.in.Load()-in, l.out.Load()-out)
		}
		kept, err := near.Load(run.ID) // which verifies its files
		if err != nil || !slices.Equal(kept.Metamers, set.Pixels) {
			t.Errorf("%s: the copy: %v", x, err)
		}
	}
	for _, dir := range []string{here, there} {
		if text, err := os.ReadFile(filepath.Join(dir, run.ID, "note")); err != nil || string(text) != "there" {
			t.Errorf("%s: %q, %v", dir, text, err)
		}
	}
	parts, err := filepath.Glob(filepath.Join(here, ".*.part-*"))
	if err != nil || len(parts) > 0 {
		t.Errorf("left behind: %v %v", parts, err)
	}

	// The engine finds its run by the ID, and keeps rows beside it there.
	in := l.in.Load()
	rows, err := c.Do(ctx, api.Request{Store: here, Evaluate: &api.Evaluation{Runs: []*metamer.Run{{ID: run.ID}}}}, nothing)
	if err != nil || len(rows.Rows.Rows) != 1 {
		t.Fatal(rows, err)
	}
	if m := f.measured.Runs[0]; m.Dir != filepath.Join(there, run.ID) || !slices.Equal(m.Metamers, set.Pixels) || l.in.Load()-in > 1<<14 {
		t.Errorf("measured in %q, %d values", m.Dir, len(m.Metamers))
	}
	// What a client names is no path.
	for _, bad := range []string{"../runs", "..", "/etc"} {
		for _, q := range []api.Request{{Store: here, Copy: &api.Copy{Run: bad}}, {Store: here, Pixels: &api.Pixels{Run: bad}}} {
			if _, err := c.Do(ctx, q, nothing); err == nil {
				t.Errorf("a run %q", bad)
			}
		}
	}
}

// An engine on another machine opens image sets that have a name; others the client opens
// with the command metamers and sends, for itself and for a plan.
func TestFarImages(t *testing.T) {
	store, err := runs.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	h := New(&fake{})
	h.Store = store
	address, token := tcp(t, h)
	set := &images.Set{Name: "pictures", Size: 8, Names: []string{"a"}, Labels: []int{-1}, Pixels: make([]float32, 8*8*3)}
	dir := t.TempDir()
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(*put(set).Put); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "metamers")
	for path, text := range map[string]string{program: fmt.Sprintf("#!/bin/sh\necho \"$PWD $*\" > %s/args; cat %s/put\n", dir, dir), filepath.Join(dir, "put"): b.String()} {
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c, ctx := &client.Client{Address: "tcp:" + address, Token: token, Program: program}, context.Background()
	r, err := c.Do(ctx, api.Request{Folder: dir, Open: &api.Open{Spec: []string{"photos:2"}, Size: 8}}, nothing)
	if err != nil || r.Images.Len() != 2 {
		t.Errorf("photographs: %v", err)
	}
	args := func() string {
		data, _ := os.ReadFile(filepath.Join(dir, "args"))
		return strings.TrimSpace(string(data))
	}
	if args() != "" {
		t.Errorf("a set by name was opened here: %s", args())
	}
	r, err = c.Do(ctx, api.Request{Folder: dir, Open: &api.Open{Spec: []string{"pictures"}, Size: 8}}, nothing)
	if err != nil || r.SHA256 != set.SHA256() || r.Images.Name != "pictures" {
		t.Fatalf("a folder: %v", err)
	}
	if want := dir + " engine images --size=8 -- pictures"; args() != want {
		t.Errorf("%q, expected %q", args(), want)
	}
	p, err := c.Do(ctx, api.Request{Pixels: &api.Pixels{Images: metamer.ImageRef{Name: "pictures", SHA256: r.SHA256}}}, nothing)
	if err != nil || len(p.Pixels) != len(set.Pixels) {
		t.Error(err)
	}
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho 'metamers: images: no such folder' >&2; exit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Do(ctx, api.Request{Folder: dir, Open: &api.Open{Spec: []string{"nowhere"}}}, nothing); err == nil || err.Error() != "images: no such folder" {
		t.Error(err)
	}
}
