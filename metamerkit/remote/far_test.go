package remote

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

// saving is an engine that keeps what it makes, and says what it was asked to measure.
type saving struct {
	fake
	measured []*metamer.Run
}

func (f *saving) Synthesize(ctx context.Context, q api.Synthesis) (*metamer.Run, error) {
	r := q.Recipe.WithDefaults()
	r.Images = metamer.ImageRef{Name: q.Images.Name, Count: q.Images.Len(), Size: q.Images.Size, SHA256: q.Images.SHA256()}
	run := &metamer.Run{ID: r.ID(), Recipe: r, Metamers: q.Images.Pixels, Start: q.Images.Pixels, Trace: metamer.Trace{Step: []int{0}, Member: []int{0}, Image: []int{0}, Loss: [][]float32{{1, 2}}}}
	if q.Progress != nil {
		q.Progress(metamer.Progress{Phase: "synthesis", Preview: q.Images.Pixels})
	}
	if q.Store == "" {
		return run, nil
	}
	store, err := runs.Open(q.Store)
	if err != nil {
		return nil, err
	}
	w, there, err := store.Begin(ctx, r)
	if err != nil || there != nil {
		return there, err
	}
	var extra map[string]func(string) error
	if q.Extra != nil {
		extra = q.Extra(run)
	}
	return run, errors.Join(w.Finish(run, extra), w.Close())
}

func (f *saving) Evaluate(_ context.Context, q api.Evaluation) (metamer.Rows, error) {
	f.measured = q.Runs
	return metamer.Rows{{Run: q.Runs[0].ID, Value: float64(q.Images.Pixels[0])}}, nil
}

// sent counts what a client sends.
type sent struct {
	http.RoundTripper
	bytes int64
}

func (s *sent) RoundTrip(r *http.Request) (*http.Response, error) {
	s.bytes += max(r.ContentLength, 0)
	return s.RoundTripper.RoundTrip(r)
}

// An engine on another machine keeps runs in its own store and nothing in folders that
// have the names of the client's; the client gets a copy, and sends images once.
func TestFar(t *testing.T) {
	here, there := t.TempDir(), t.TempDir()
	store, err := runs.Open(filepath.Join(here, "runs"))
	if err != nil {
		t.Fatal(err)
	}
	l, token, err := ListenTCP(":0")
	if err != nil {
		t.Fatal(err)
	}
	f := &saving{}
	s := &Server{Engine: f, Token: token, Log: slog.New(slog.DiscardHandler)}
	s.Extra = func(api.Synthesis) func(*metamer.Run) map[string]func(string) error { return extra("there") }
	if s.Store, err = runs.Open(filepath.Join(there, "runs")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	c, err := Dial("tcp:"+l.Addr().String(), token)
	if err != nil {
		t.Fatal(err)
	}
	count := &sent{RoundTripper: c.http.Transport}
	c.http.Transport = count

	const n, size = 16, 32
	set := &images.Set{Name: "s", Size: size, Names: make([]string, n), Labels: make([]int, n), Pixels: make([]float32, n*size*size*3)}
	for i := range set.Pixels {
		set.Pixels[i] = float32(i%251) / 250
	}
	var preview []float32
	q := api.Synthesis{Recipe: metamer.Recipe{Models: []metamer.ModelRef{{Name: "m"}}, Stage: "late"}, Images: set, Store: store.Where(), Extra: extra("here"),
		Progress: func(p metamer.Progress) { preview = slices.Clone(p.Preview) }, Warn: func(text string) { t.Error(text) }}
	var id string
	for i, x := range []string{"made", "found", "found by a client that has lost it"} {
		if i == 2 {
			if err := store.Remove(id); err != nil {
				t.Fatal(err)
			}
		}
		count.bytes = 0
		run, err := c.Synthesize(ctx, q)
		if err != nil {
			t.Fatalf("%s: %v", x, err)
		}
		id = run.ID
		if run.Cached != (i > 0) || run.Dir != filepath.Join(store.Dir, id) || !slices.Equal(run.Metamers, set.Pixels) || len(run.Trace.Loss) != 1 {
			t.Errorf("%s: run %s in %q, cached %v, %d values", x, id, run.Dir, run.Cached, len(run.Metamers))
		}
		if first := count.bytes > 4*int64(len(set.Pixels)); first != (i == 0) {
			t.Errorf("%s: %d bytes sent", x, count.bytes)
		}
	}
	for dir, want := range map[string]string{store.Dir: "here", s.Store.Dir: "there"} {
		text, err := os.ReadFile(filepath.Join(dir, id, "note"))
		if err != nil || string(text) != want {
			t.Errorf("%q, %v", text, err)
		}
	}
	if len(preview) != 12*size*size*3 || math.Abs(float64(preview[7]-set.Pixels[7])) > 1./510+1e-6 {
		t.Errorf("a preview of %d values", len(preview))
	}

	// Measuring: the engine finds its run, and keeps rows beside it there.
	run, err := store.Load(id)
	if err != nil {
		t.Fatal(err)
	}
	count.bytes = 0
	rows, err := c.Evaluate(ctx, api.Evaluation{Runs: []*metamer.Run{run}, Images: set})
	if err != nil || len(rows) != 1 {
		t.Fatal(rows, err)
	}
	if m := f.measured[0]; m.Dir != filepath.Join(s.Store.Dir, id) || !slices.Equal(m.Metamers, set.Pixels) || count.bytes > 1<<16 {
		t.Errorf("measured in %q, %d values, %d bytes sent", m.Dir, len(m.Metamers), count.bytes)
	}
	// One that it has not got is sent, and has no folder there.
	other := *run
	other.ID, other.Dir = strings.Repeat("0", 16), filepath.Join(store.Dir, strings.Repeat("0", 16))
	if _, err := c.Evaluate(ctx, api.Evaluation{Runs: []*metamer.Run{&other}, Images: set}); err != nil {
		t.Fatal(err)
	}
	if m := f.measured[0]; m.Dir != "" || !slices.Equal(m.Metamers, set.Pixels) {
		t.Errorf("measured in %q, %d values", m.Dir, len(m.Metamers))
	}
	// Not saved: it comes whole.
	q.Store = ""
	if run, err := c.Synthesize(ctx, q); err != nil || run.Dir != "" || !slices.Equal(run.Metamers, set.Pixels) {
		t.Errorf("%v %v", run, err)
	}
	// What a client names is no path.
	for _, bad := range []string{"../runs", "..", "", "/etc"} {
		if h, err := c.has(ctx, have{Runs: []string{bad}}); err != nil || len(h.Runs) > 0 {
			t.Errorf("%q: %v %v", bad, h, err)
		}
		if _, err := c.events(ctx, pathRun, have{Runs: []string{bad}}, nil, nil); err == nil {
			t.Errorf("a run %q", bad)
		}
	}
}

func extra(text string) func(*metamer.Run) map[string]func(string) error {
	return func(*metamer.Run) map[string]func(string) error {
		return map[string]func(string) error{"note": func(p string) error { return os.WriteFile(p, []byte(text), 0o644) }}
	}
}

// An engine elsewhere that speaks another protocol cannot be started again from here.
func TestFarVersion(t *testing.T) {
	e := &VersionError{Address: "tcp:127.0.0.1:7000", Status: Status{Protocol: Protocol + 1}}
	if s := e.Error(); !strings.Contains(s, "start it there") || strings.Contains(s, "engine stop") {
		t.Error(s)
	}
}
