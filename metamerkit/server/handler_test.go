package server

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/client"
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

func (f *fake) Distort(context.Context, api.Distorting) ([]api.Distortions, error) {
	return nil, errors.New("no distortions")
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

// serveHere runs a server in the folder that clients of this process look in.
func serveHere(t *testing.T) (*client.Client, *fake, string) {
	t.Helper()
	t.Setenv("METAMERS_ENGINE_DIR", t.TempDir())
	t.Setenv("METAMERS_ENGINE", "")
	t.Setenv("METAMERS_BACKEND", "")
	t.Setenv("METAMERS_PROGRAM", "/bin/false") // nothing is started
	dir, err := api.Dir("auto")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{ended: make(chan error, 10)}
	serveIn(t, dir, &Server{Service: New(f), Log: slog.New(slog.DiscardHandler)})
	c := &client.Client{}
	refs, _ := figurestest.Runs()
	if _, err := c.Do(context.Background(), put(refs), nothing); err != nil {
		t.Fatal(err)
	}
	return c, f, dir
}

func nothing(api.Event) {}

func put(s *images.Set) api.Request {
	return api.Request{Put: &api.Put{Images: *api.LightImages(s), Pixels: s.Pixels}}
}

func ref(s *images.Set) metamer.ImageRef {
	return metamer.ImageRef{Name: s.Name, SHA256: s.SHA256()}
}

func synthesis(t *testing.T, stage string) api.Request {
	refs, _ := figurestest.Runs()
	return api.Request{Store: t.TempDir(), Synthesize: &api.Synthesis{Recipe: metamer.Recipe{Stage: stage, Models: []metamer.ModelRef{{Name: "resnet20"}}, Images: ref(refs)}}}
}

// Runs, rows and pictures come over the socket as they are; pixels only when they are
// asked for.
func TestRequests(t *testing.T) {
	c, _, _ := serveHere(t)
	ctx := context.Background()
	r, err := c.Do(ctx, synthesis(t, "late"), nothing)
	if err != nil {
		t.Fatal(err)
	}
	run := r.Runs[0]
	if e := run.Statistics[len(run.Statistics)-1]; !math.IsInf(e.SNR, 1) || !math.IsNaN(e.Pearson) || run.Metamers != nil || run.Start != nil {
		t.Errorf("%+v, %d values", e, len(run.Metamers))
	}
	refs, _ := figurestest.Runs()
	for name, q := range map[string]api.Pixels{"run": {Run: run.ID}, "images": {Images: ref(refs)}} {
		if p, err := c.Do(ctx, api.Request{Pixels: &q}, nothing); err != nil || len(p.Pixels) != 6*16*16*3 {
			t.Errorf("pixels of %s: %v", name, err)
		}
	}
	for name, q := range map[string]api.Drawing{
		"sheet of images": {Sheet: "a", Images: ref(refs), PerLine: 4}, "sheet of a run": {Sheet: "b", Images: ref(refs), Run: run.ID}, "loss": {Run: run.ID, Loss: &api.Format{Kind: "svg"}},
	} {
		p, err := c.Do(ctx, api.Request{Draw: &q}, nothing)
		if err != nil || len(p.Figure.Data) < 500 {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The made-up run is of no images that the server has.
	var missing *api.MissingImagesError
	if _, err := c.Do(ctx, api.Request{Evaluate: &api.Evaluation{Runs: r.Runs}}, nothing); !errors.As(err, &missing) || missing.Images.SHA256 != run.Recipe.Images.SHA256 {
		t.Errorf("images that the server does not have: %v", err)
	}
}

// Rows of a run whose images the server has come over the socket as they are.
func TestRows(t *testing.T) {
	h := New(&fake{})
	refs, runs := figurestest.Runs([]string{"a"})
	sum := h.sets.put("", refs)
	run := *runs[0]
	run.Recipe.Images.SHA256 = sum
	h.runs.Put(run.ID, &run)
	r, err := h.Do(context.Background(), api.Request{Evaluate: &api.Evaluation{Runs: []*metamer.Run{{ID: run.ID}}}}, nothing)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(r); err != nil {
		t.Fatal(err)
	}
	var back api.Reply
	if err := gob.NewDecoder(&b).Decode(&back); err != nil {
		t.Fatal(err)
	}
	got, err := back.Rows.Unpack()
	want := figurestest.Study().Rows
	if err != nil || len(got) != len(want) || !got[0].Equal(want[0]) {
		t.Errorf("%d rows, want %d: %v", len(got), len(want), err)
	}
}

// Mistakes and defects are answered, and the next request is answered.
func TestFailures(t *testing.T) {
	c, _, _ := serveHere(t)
	ctx := context.Background()
	var unknown *metamer.UnknownError
	if _, err := c.Do(ctx, synthesis(t, "unknown"), nothing); !errors.As(err, &unknown) || len(unknown.Known) == 0 {
		t.Error(err)
	}
	if _, err := c.Do(ctx, synthesis(t, "panic"), nothing); err == nil || !strings.Contains(err.Error(), "a defect") {
		t.Error(err)
	}
	refs, _ := figurestest.Runs()
	bad := put(refs)
	bad.Put.Pixels = bad.Put.Pixels[1:]
	unknownSet := synthesis(t, "late")
	unknownSet.Synthesize.Recipe.Images.SHA256 = strings.Repeat("0", 64)
	for name, q := range map[string]api.Request{
		"nothing": {}, "pixels that are missing": bad, "images that nobody sent": unknownSet, "a run that is none": {Store: t.TempDir(), Evaluate: &api.Evaluation{Runs: []*metamer.Run{{ID: "../x"}}}}, "a sheet of nothing": {Draw: &api.Drawing{}},
		"a copy of a path": {Store: t.TempDir(), Copy: &api.Copy{Run: "../x"}}, "pixels of nothing": {Store: t.TempDir(), Pixels: &api.Pixels{}},
		"a loss of nothing": {Draw: &api.Drawing{Loss: &api.Format{}}}, "a plan that is none": {Study: &api.Study{Plan: []byte("x")}}, "an unknown field": {Study: &api.Study{Plan: []byte(`{"Sots":1}`)}},
		"no set": {Study: &api.Study{Plan: []byte(`{}`)}}, "an image set that is not": {Open: &api.Open{Spec: []string{"nowhere"}}}, "other data": {Data: "/other", Open: &api.Open{Spec: []string{"cifar10"}}},
	} {
		if _, err := c.Do(ctx, q, nothing); err == nil || strings.Contains(err.Error(), "defect") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.Do(ctx, api.Request{Parts: &api.StudyParts{ID: "x"}}, nothing); !errors.Is(err, api.ErrForgotten) {
		t.Error(err)
	}
	if _, err := c.Do(ctx, api.Request{Models: &api.Models{}}, nothing); err != nil {
		t.Error(err)
	}
}

// A request ends when its program does not want it any more, or is gone; two programs
// are served at once.
func TestCancel(t *testing.T) {
	c, f, dir := serveHere(t)
	ctx, cancel := context.WithCancel(context.Background())
	var once sync.Once
	_, err := c.Do(ctx, synthesis(t, "slow"), func(e api.Event) {
		once.Do(func() {
			if _, err := c.Do(context.Background(), api.Request{Models: &api.Models{}}, nothing); err != nil {
				t.Error(err)
			}
			cancel()
		})
	})
	if !errors.Is(err, context.Canceled) || !errors.Is(<-f.ended, context.Canceled) {
		t.Error(err)
	}
	conn, err := net.Dial("unix", api.Socket(dir))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, api.Preamble("")); err != nil {
		t.Fatal(err)
	}
	if err := gob.NewEncoder(conn).Encode(synthesis(t, "slow")); err != nil {
		t.Fatal(err)
	}
	d := gob.NewDecoder(conn)
	for range 2 { // hello, and the warning
		var e api.Event
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
	c, _, dir := serveHere(t)
	for _, text := range []string{"GET / HTTP/1.1\r\n\r\n", "\xff\xff\xff\xff\xff\xff", strings.Repeat("\x00", 10000)} {
		conn, err := net.Dial("unix", api.Socket(dir))
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
	if _, err := c.Do(context.Background(), api.Request{Models: &api.Models{}}, nothing); err != nil {
		t.Error(err)
	}
	info, err := os.Stat(api.Socket(dir))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

// A study is remembered for its figures; of many the oldest is forgotten.
func TestStudies(t *testing.T) {
	c, _, _ := serveHere(t)
	ctx := context.Background()
	plan := func(name string) api.Request {
		text, err := json.Marshal(map[string]any{"Name": name, "Images": "photos:6", "Size": 16, "Sets": figurestest.Study().Sets[:2], "Bootstrap": 50})
		if err != nil {
			t.Fatal(err)
		}
		return api.Request{Store: t.TempDir(), Study: &api.Study{Plan: text}}
	}
	first, err := c.Do(ctx, plan("first"), nothing)
	if err != nil {
		t.Fatal(err)
	}
	if len(first.Study.Tables) != 5 {
		t.Errorf("%d tables", len(first.Study.Tables))
	}
	figure := api.Request{Parts: &api.StudyParts{ID: first.Study.ID, Figure: &api.Format{Name: "figure3", Kind: "png"}, Rows: true, Runs: true, Table: "claims"}}
	r, err := c.Do(ctx, figure, nothing)
	if err != nil || len(r.Figure.Data) < 1000 || len(r.Runs) != 3*2 || r.Images == nil || len(r.Tables) != 1 || len(r.Rows.Rows) == 0 {
		t.Errorf("%v", err)
	}
	dir := t.TempDir()
	if _, err := c.Do(ctx, api.Request{Folder: dir, Parts: &api.StudyParts{ID: first.Study.ID, Write: "out"}}, nothing); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "out", "index.html")); err != nil {
		t.Error(err)
	}
	for range mostStudies {
		if _, err := c.Do(ctx, plan("more"), nothing); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Do(ctx, figure, nothing); !errors.Is(err, api.ErrForgotten) {
		t.Errorf("the first study of many: %v", err)
	}
}

// Named sets are opened once; files by names relative to the program's folder, and the
// set is called as there.
func TestOpen(t *testing.T) {
	d := New(&fake{})
	open := func(q api.Request) *images.Set {
		t.Helper()
		r, err := d.Do(context.Background(), q, nothing)
		if err != nil {
			t.Fatal(err)
		}
		s, err := d.sets.get(metamer.ImageRef{Name: r.Images.Name, SHA256: r.SHA256})
		if err != nil || r.Images.Pixels != nil {
			t.Fatal(err)
		}
		return s
	}
	q := api.Request{Open: &api.Open{Spec: []string{"photos:2"}, Size: 8}}
	a, b := open(q), open(q)
	if a.Len() != 2 || &a.Pixels[0] != &b.Pixels[0] {
		t.Error("the photographs are opened twice")
	}
	dir := t.TempDir()
	if err := images.WritePNG(filepath.Join(dir, "x.png"), a.Image(0), 8); err != nil {
		t.Fatal(err)
	}
	if s := open(api.Request{Folder: dir, Open: &api.Open{Spec: []string{"x.png"}, Size: 8}}); s.Name != "x.png" || s.Len() != 1 {
		t.Errorf("%q of %d", s.Name, s.Len())
	}
}

// "none" is no null set in a cell too, unless a folder beside the notebook is called so:
// then it must be said which is meant.
func TestNullName(t *testing.T) {
	dir := t.TempDir()
	j := &job{q: api.Request{Folder: dir}}
	if name, err := j.nullName("none"); err != nil || name != metamer.NoNull {
		t.Errorf("%q, %v", name, err)
	}
	if err := os.Mkdir(filepath.Join(dir, "none"), 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := j.nullName("none"); err == nil || !strings.Contains(err.Error(), "write null:none for the first or ./none for the second") {
		t.Errorf("beside a folder: %v", err)
	}
	for typed, want := range map[string]string{"null:none": metamer.NoNull, "./none": filepath.Join(dir, "none"), "photos:64": "photos:64", "": ""} {
		if name, err := j.nullName(typed); err != nil || name != want {
			t.Errorf("%s: %q, %v", typed, name, err)
		}
	}
}
