package desk

import (
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/errand"
	"github.com/ensemble-metamers/metamers/metamerkit/figures/figurestest"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// fake is an engine whose answers depend on the stage it is asked for.
type fake struct{ ended chan error }

func (f *fake) Synthesize(ctx context.Context, q api.Synthesis) (*metamer.Run, error) {
	switch q.Recipe.Stage {
	case "panic":
		panic("a defect")
	case "unknown":
		return nil, metamer.Unknown("stage", "unknown", metamer.Stages)
	case "slow":
		q.Warn("slow")
		<-ctx.Done()
		f.ended <- ctx.Err()
		return nil, ctx.Err()
	}
	_, runs := figurestest.Runs(q.Recipe.ModelNames())
	for _, r := range runs {
		if r.Recipe.Stage == q.Recipe.Stage {
			r.Trace = metamer.Trace{Step: []int{0, 1}, Member: []int{0, 0}, Image: []int{0, 0}, Loss: [][]float32{{1}, {float32(math.NaN())}}}
			r.Statistics = append(r.Statistics, metamer.MatchStatistics{SNR: math.Inf(1), Pearson: math.NaN()})
			return r, nil
		}
	}
	return nil, errors.New("no such stage")
}

func (f *fake) Evaluate(context.Context, api.Evaluation) (metamer.Rows, error) {
	return figurestest.Study().Rows, nil
}

func (f *fake) Batch(_ context.Context, q api.Batch) (int, error) { return min(q.Count, 5), nil }

func (f *fake) Models(context.Context) (out []api.Model, err error) {
	for _, c := range figurestest.Study().Cards {
		card := *c
		card.Classes, card.Labels = 10, "cifar10"
		out = append(out, api.Model{Card: &card})
	}
	return out, nil
}

// serve runs a desk in the folder that clients of this process look in.
func serve(t *testing.T) (*errand.Client, *fake, string) {
	t.Helper()
	t.Setenv("METAMERS_ENGINE_DIR", t.TempDir())
	t.Setenv("METAMERS_ENGINE", "")
	t.Setenv("METAMERS_BACKEND", "")
	t.Setenv("METAMERS_PROGRAM", "/bin/false") // nothing is started
	dir, err := errand.Here()
	if err != nil {
		t.Fatal(err)
	}
	l, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{ended: make(chan error, 10)}
	s := &Server{Desk: &Desk{Engine: f}, Log: slog.New(slog.DiscardHandler), Hello: func() errand.Hello { return errand.Hello{PID: 1} }}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(errand.Socket(dir)); err == nil {
			t.Error("the socket is left behind")
		}
	})
	return &errand.Client{}, f, dir
}

func nothing(errand.Event) {}

func synthesis(t *testing.T, stage string) errand.Request {
	refs, _ := figurestest.Runs()
	return errand.Request{Store: t.TempDir(), Synthesize: &errand.Synthesis{Recipe: metamer.Recipe{Stage: stage, Models: []metamer.ModelRef{{Name: "resnet20"}}}, Images: errand.PackImages(refs)}}
}

// Runs, rows and pictures come over the socket as they are.
func TestErrands(t *testing.T) {
	c, _, _ := serve(t)
	ctx := context.Background()
	r, err := c.Do(ctx, synthesis(t, "late"), nothing)
	if err != nil {
		t.Fatal(err)
	}
	run, err := r.Runs[0].Unpack()
	if err != nil {
		t.Fatal(err)
	}
	if e := run.Statistics[len(run.Statistics)-1]; !math.IsInf(e.SNR, 1) || !math.IsNaN(e.Pearson) || len(run.Metamers) != 6*16*16*3 {
		t.Errorf("%+v, %d values", e, len(run.Metamers))
	}
	refs := synthesis(t, "late").Synthesize.Images
	for name, q := range map[string]errand.Drawing{
		"sheet of images": {Sheet: "a", Images: refs, PerLine: 4}, "sheet of a run": {Sheet: "b", Images: refs, Run: r.Runs[0]}, "loss": {Run: r.Runs[0], Loss: &errand.Format{Kind: "svg"}},
	} {
		p, err := c.Do(ctx, errand.Request{Draw: &q}, nothing)
		if err != nil || len(p.Figure.Data) < 500 {
			t.Errorf("%s: %v", name, err)
		}
	}
	rows, err := c.Do(ctx, errand.Request{Evaluate: &errand.Evaluation{Images: refs, Runs: r.Runs}}, nothing)
	if err != nil {
		t.Fatal(err)
	}
	got, err := rows.Rows.Unpack()
	want := figurestest.Study().Rows
	if err != nil || len(got) != len(want) || !got[0].Equal(want[0]) {
		t.Errorf("%d rows, want %d: %v", len(got), len(want), err)
	}
}

// Mistakes and defects are answered, and the next errand is done.
func TestFailures(t *testing.T) {
	c, _, _ := serve(t)
	ctx := context.Background()
	var unknown *metamer.UnknownError
	if _, err := c.Do(ctx, synthesis(t, "unknown"), nothing); !errors.As(err, &unknown) || len(unknown.Known) == 0 {
		t.Error(err)
	}
	if _, err := c.Do(ctx, synthesis(t, "panic"), nothing); err == nil || !strings.Contains(err.Error(), "a defect") {
		t.Error(err)
	}
	bad := synthesis(t, "late")
	bad.Synthesize.Images.Pixels = bad.Synthesize.Images.Pixels[1:]
	for name, q := range map[string]errand.Request{
		"nothing": {}, "pixels that are missing": bad, "a run that is empty": {Evaluate: &errand.Evaluation{Runs: []*errand.Run{nil}}}, "a sheet of nothing": {Draw: &errand.Drawing{}},
		"a loss of nothing": {Draw: &errand.Drawing{Loss: &errand.Format{}}}, "a plan that is none": {Study: &errand.Study{Plan: []byte("x")}}, "an unknown field": {Study: &errand.Study{Plan: []byte(`{"Sots":1}`)}},
		"no set": {Study: &errand.Study{Plan: []byte(`{}`)}}, "an image set that is not": {Open: &errand.Open{Spec: []string{"nowhere"}}}, "other data": {Data: "/other", Open: &errand.Open{Spec: []string{"cifar10"}}},
	} {
		if _, err := c.Do(ctx, q, nothing); err == nil || strings.Contains(err.Error(), "defect") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.Do(ctx, errand.Request{Recall: &errand.Recall{ID: "x"}}, nothing); !errors.Is(err, errand.ErrForgotten) {
		t.Error(err)
	}
	if _, err := c.Do(ctx, errand.Request{Models: &errand.Models{}}, nothing); err != nil {
		t.Error(err)
	}
}

// An errand ends when its program does not want it any more, or is gone; two programs
// are served at once.
func TestCancel(t *testing.T) {
	c, f, dir := serve(t)
	ctx, cancel := context.WithCancel(context.Background())
	var once sync.Once
	_, err := c.Do(ctx, synthesis(t, "slow"), func(e errand.Event) {
		once.Do(func() {
			if _, err := c.Do(context.Background(), errand.Request{Models: &errand.Models{}}, nothing); err != nil {
				t.Error(err)
			}
			cancel()
		})
	})
	if !errors.Is(err, context.Canceled) || !errors.Is(<-f.ended, context.Canceled) {
		t.Error(err)
	}
	conn, err := net.Dial("unix", errand.Socket(dir))
	if err != nil {
		t.Fatal(err)
	}
	if err := gob.NewEncoder(conn).Encode(synthesis(t, "slow")); err != nil {
		t.Fatal(err)
	}
	d := gob.NewDecoder(conn)
	for range 2 { // hello, and the warning
		var e errand.Event
		if err := d.Decode(&e); err != nil {
			t.Fatal(err)
		}
	}
	conn.Close()
	if err := <-f.ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Garbage ends its own connection only.
func TestGarbage(t *testing.T) {
	c, _, dir := serve(t)
	for _, text := range []string{"GET / HTTP/1.1\r\n\r\n", "\xff\xff\xff\xff\xff\xff", strings.Repeat("\x00", 10000)} {
		conn, err := net.Dial("unix", errand.Socket(dir))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write([]byte(text)) // it may be closed already
		conn.(*net.UnixConn).CloseWrite()
		buf := make([]byte, 1<<16)
		for {
			if _, err := conn.Read(buf); err != nil {
				break
			}
		}
		conn.Close()
	}
	if _, err := c.Do(context.Background(), errand.Request{Models: &errand.Models{}}, nothing); err != nil {
		t.Error(err)
	}
	info, err := os.Stat(errand.Socket(dir))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

// A study is remembered for its figures; of many the oldest is forgotten.
func TestStudies(t *testing.T) {
	c, _, _ := serve(t)
	ctx := context.Background()
	plan := func(name string) errand.Request {
		text, err := json.Marshal(map[string]any{"Name": name, "Images": "photos:6", "Size": 16, "Sets": figurestest.Study().Sets[:2], "Bootstrap": 50})
		if err != nil {
			t.Fatal(err)
		}
		return errand.Request{Store: t.TempDir(), Study: &errand.Study{Plan: text}}
	}
	first, err := c.Do(ctx, plan("first"), nothing)
	if err != nil {
		t.Fatal(err)
	}
	if len(first.Study.Tables) != 5 {
		t.Errorf("%d tables", len(first.Study.Tables))
	}
	figure := errand.Request{Recall: &errand.Recall{ID: first.Study.ID, Figure: &errand.Format{Name: "figure3", Kind: "png"}, Rows: true, Runs: true, Table: "claims"}}
	r, err := c.Do(ctx, figure, nothing)
	if err != nil || len(r.Figure.Data) < 1000 || len(r.Runs) != 3*2 || r.Images == nil || len(r.Tables) != 1 || len(r.Rows.Rows) == 0 {
		t.Errorf("%v", err)
	}
	dir := t.TempDir()
	if _, err := c.Do(ctx, errand.Request{Folder: dir, Recall: &errand.Recall{ID: first.Study.ID, Write: "out"}}, nothing); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "out", "index.html")); err != nil {
		t.Error(err)
	}
	for range keptStudies {
		if _, err := c.Do(ctx, plan("more"), nothing); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Do(ctx, figure, nothing); !errors.Is(err, errand.ErrForgotten) {
		t.Errorf("the first study of many: %v", err)
	}
}

// Named sets are opened once; files by names relative to the program's folder, and the
// set is called as there.
func TestOpen(t *testing.T) {
	d := &Desk{Engine: &fake{}}
	open := func(q errand.Request) *images.Set {
		t.Helper()
		r, err := d.Do(context.Background(), q, nothing)
		if err != nil {
			t.Fatal(err)
		}
		s, err := r.Images.Set()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	q := errand.Request{Open: &errand.Open{Spec: []string{"photos:2"}, Size: 8}}
	a, b := open(q), open(q)
	if a.Len() != 2 || &a.Pixels[0] != &b.Pixels[0] {
		t.Error("the photographs are opened twice")
	}
	dir := t.TempDir()
	if err := images.WritePNG(filepath.Join(dir, "x.png"), a.Image(0), 8); err != nil {
		t.Fatal(err)
	}
	if s := open(errand.Request{Folder: dir, Open: &errand.Open{Spec: []string{"x.png"}, Size: 8}}); s.Name != "x.png" || s.Len() != 1 {
		t.Errorf("%q of %d", s.Name, s.Len())
	}
}
