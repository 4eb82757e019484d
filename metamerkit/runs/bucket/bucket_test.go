package bucket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

// server is an object store in this process with the bucket "lab".
type server struct {
	*httptest.Server
	memory
	where string       // what runs.Open takes
	down  atomic.Bool  // connections are cut
	cut   atomic.Int64 // answers are cut after this many bytes; 0: never
}

// memory is what a server holds.
type memory interface {
	list(t *testing.T) []string
	get(t *testing.T, key string) []byte
	put(t *testing.T, key string, data []byte)
}

// each has a test done with S3 and with Azure.
func each(t *testing.T, do func(t *testing.T, srv *server)) {
	t.Run("s3", func(t *testing.T) {
		do(t, serveS3(t))
	})
	t.Run("azure", func(t *testing.T) {
		m := newBlobs(t)
		srv := serve(t, m, m)
		srv.where = "azblob://lab/studies/one?account=" + account + "&endpoint=" + srv.URL + "/" + account
		do(t, srv)
	})
}

func serveS3(t *testing.T) *server {
	t.Helper()
	m := s3{s3mem.New()}
	if err := m.CreateBucket("lab"); err != nil {
		t.Fatal(err)
	}
	srv := serve(t, m, gofakes3.New(m.Backend).Server())
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_REGION", "us-east-1")
	srv.where = "s3://lab/studies/one?endpoint=" + srv.URL
	return srv
}

type s3 struct{ *s3mem.Backend }

func (s s3) list(t *testing.T) (out []string) {
	t.Helper()
	list, err := s.ListBucket("lab", nil, gofakes3.ListBucketPage{})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range list.Contents {
		out = append(out, o.Key)
	}
	return out
}

func (s s3) get(t *testing.T, key string) []byte {
	t.Helper()
	o, err := s.GetObject("lab", key, nil)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(o.Contents)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (s s3) put(t *testing.T, key string, data []byte) {
	t.Helper()
	if _, err := s.PutObject("lab", key, map[string]string{}, bytes.NewReader(data), int64(len(data)), nil); err != nil {
		t.Fatal(err)
	}
}

func serve(t *testing.T, m memory, inner http.Handler) *server {
	t.Helper()
	s := &server{memory: m}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.down.Load() {
			panic(http.ErrAbortHandler)
		}
		if n := s.cut.Load(); n > 0 && r.Method == http.MethodGet {
			w = &cutWriter{ResponseWriter: w, left: n}
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

type cutWriter struct {
	http.ResponseWriter
	left int64
}

func (w *cutWriter) Write(b []byte) (int, error) {
	if w.left -= int64(len(b)); w.left < 0 {
		panic(http.ErrAbortHandler)
	}
	return w.ResponseWriter.Write(b)
}

// on opens the server's store as a machine with its own cache folder does.
func (s *server) on(t *testing.T, machine string) *runs.Store {
	t.Helper()
	t.Setenv("METAMERS_CACHE", machine)
	st, err := runs.Open(s.where)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func (s *server) keys(t *testing.T) string { return strings.Join(s.list(t), " ") }

func sample(seed uint64) *metamer.Run {
	r := metamer.Recipe{
		Models: []metamer.ModelRef{{Name: "a", Layer: "l"}}, Stage: "late", Images: metamer.ImageRef{Name: "x", Count: 1, Size: 4}, Seed: seed,
	}.WithDefaults()
	run := &metamer.Run{
		ID: r.ID(), Recipe: r, StepsRun: 20, Seconds: 1, Metamers: make([]float32, 48), Start: make([]float32, 48),
		Statistics: []metamer.MatchStatistics{{Member: "a", Verdict: "pass"}}, Nulls: []metamer.Null{{Member: "a"}},
		Trace: metamer.Trace{Step: []int{0}, Member: []int{0}, Image: []int{0}, Loss: [][]float32{{1}}},
	}
	for i := range run.Metamers {
		run.Metamers[i] = float32(i) / 97
	}
	return run
}

func begin(t *testing.T, s *runs.Store, run *metamer.Run) *runs.Work {
	t.Helper()
	w, there, err := s.Begin(t.Context(), run.Recipe)
	if err != nil || there != nil {
		t.Fatalf("Begin gives %v, %v, expected work", there, err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func TestTwoMachines(t *testing.T) { each(t, twoMachines) }

func twoMachines(t *testing.T, srv *server) {
	here, there := t.TempDir(), t.TempDir()
	s := srv.on(t, here)
	run := sample(1)
	// A checkpoint of one machine is taken up on another.
	w := begin(t, s, run)
	if err := errors.Join(w.Save(runs.Checkpoint{Arrays: map[string][]float32{"x": {1, 2}}, State: []byte("7")}), w.Close()); err != nil {
		t.Fatal(err)
	}
	other := srv.on(t, there)
	w = begin(t, other, run)
	c, err := w.Restore()
	if err != nil || c == nil || string(c.State) != "7" || !reflect.DeepEqual(c.Arrays["x"], []float32{1, 2}) {
		t.Fatalf("the checkpoint there is %v, %v", c, err)
	}
	if err := errors.Join(w.Finish(run, nil), w.Close()); err != nil {
		t.Fatal(err)
	}
	if got, want := srv.keys(t), "studies/one/"+run.ID+".zip"; got != want {
		t.Errorf("the bucket holds %q, expected %q", got, want)
	}
	// The first machine finds the run, its pixels, and rows that the other kept.
	if err := runs.KeepRows(run.Dir, "0123456789abcdef", metamer.Rows{{Run: run.ID, Measure: "x", Value: 0.1, Image: -1}}); err != nil {
		t.Fatal(err)
	}
	_, got, err := s.Begin(t.Context(), run.Recipe)
	if err != nil || got == nil || !got.Cached || !reflect.DeepEqual(got.Metamers, run.Metamers) || !strings.HasPrefix(got.Dir, here) {
		t.Fatalf("the run here is %v, %v", got, err)
	}
	if rows, _, err := runs.ReadRows(got.Dir, "0123456789abcdef"); err != nil || len(rows) != 1 || rows[0].Value != 0.1 {
		t.Errorf("rows here: %v, %v", rows, err)
	}
	if ids, err := s.IDs(); err != nil || len(ids) != 1 || ids[0] != run.ID {
		t.Errorf("IDs: %v, %v", ids, err)
	}
	if c := s.Verify(t.Context(), run.ID); c.State != runs.Whole || c.Rows != 1 {
		t.Errorf("Verify: %+v", c)
	}
	// A machine that has never been there reads too, without opening anything.
	t.Setenv("METAMERS_CACHE", t.TempDir())
	fresh, err := runs.Locate(s.Where())
	if err != nil {
		t.Fatal(err)
	}
	if ids, err := fresh.IDs(); err != nil || len(ids) != 1 {
		t.Errorf("located: %v, %v", ids, err)
	}
	if _, err := fresh.Load(run.ID); err != nil {
		t.Errorf("located: %v", err)
	}
	// What is read lies in the cache: no server is needed.
	srv.down.Store(true)
	if _, err := s.Load(run.ID); err != nil {
		t.Errorf("from the cache: %v", err)
	}
	srv.down.Store(false)
	// A copy here that is damaged is fetched again.
	if err := os.WriteFile(filepath.Join(got.Dir, "recipe.json"), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(run.ID); err != nil {
		t.Errorf("with a damaged copy: %v", err)
	}
	if err := s.Remove(run.ID); err != nil || srv.keys(t) != "" {
		t.Errorf("removed: %v, the bucket holds %q", err, srv.keys(t))
	}
}

// Two machines that make the same run at once both end with the one in the bucket.
func TestTwoMakers(t *testing.T) { each(t, twoMakers) }

func twoMakers(t *testing.T, srv *server) {
	one, two := sample(1), sample(1)
	two.Seconds = 5
	a, b := begin(t, srv.on(t, t.TempDir()), one), begin(t, srv.on(t, t.TempDir()), two)
	var told []string
	b.Warn = func(s string) { told = append(told, s) }
	if err := errors.Join(a.Finish(one, nil), b.Finish(two, nil)); err != nil {
		t.Fatal(err)
	}
	if two.Seconds != 1 || len(told) != 1 || !strings.Contains(told[0], "same bits") || two.Dir == one.Dir {
		t.Errorf("the second got %+v, told %q", two, told)
	}
}

// A server that is away at the end costs nothing: the run stays here and is sent by
// the next start.
func TestServerAway(t *testing.T) { each(t, serverAway) }

func serverAway(t *testing.T, srv *server) {
	s := srv.on(t, t.TempDir())
	w := begin(t, s, sample(1))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var told []string
	w.Warn = func(s string) { told = append(told, s) }
	srv.down.Store(true)
	if err := w.Save(runs.Checkpoint{State: []byte("1")}); err != nil || len(told) != 1 || !strings.Contains(told[0], "checkpoint") {
		t.Errorf("a checkpoint: %v, told %q", err, told)
	}
	err := w.Finish(sample(1), nil)
	if err == nil || !strings.Contains(err.Error(), "it is finished in "+s.Dir) {
		t.Fatalf("Finish gives %v", err)
	}
	w.Close()
	if _, _, err := s.Begin(ctx, sample(1).Recipe); err == nil || !strings.Contains(err.Error(), "the same command sends it") {
		t.Errorf("still away: %v", err)
	}
	srv.down.Store(false)
	if _, run, err := s.Begin(ctx, sample(1).Recipe); err != nil || run == nil {
		t.Fatalf("back again: %v, %v", run, err)
	}
	if want := "studies/one/" + sample(1).ID + ".zip"; !strings.Contains(srv.keys(t), want) {
		t.Errorf("the bucket holds %q, expected %s", srv.keys(t), want)
	}
}

// Objects that are damaged or cut on their way never become runs.
func TestDamagedObjects(t *testing.T) { each(t, damagedObjects) }

func damagedObjects(t *testing.T, srv *server) {
	run := sample(1)
	w := begin(t, srv.on(t, t.TempDir()), run)
	if err := w.Finish(run, nil); err != nil {
		t.Fatal(err)
	}
	key := "studies/one/" + run.ID + ".zip"
	whole := srv.get(t, key)
	put := func(data []byte) { srv.put(t, key, data) }
	var bad *runs.CorruptError
	for at := 0; at < len(whole); at += 61 {
		other := []byte(string(whole))
		other[at] ^= 0x21
		for what, data := range map[string][]byte{"cut": whole[:at], "flip": other} {
			put(data)
			s := srv.on(t, t.TempDir())
			got, err := s.Load(run.ID)
			if err == nil && what == "flip" {
				// Nothing that counts has changed (a field of the archive's directory).
				if !reflect.DeepEqual(got.Metamers, run.Metamers) || got.Recipe.ID() != run.ID {
					t.Fatalf("%s at %d: another run", what, at)
				}
				continue
			}
			if !errors.As(err, &bad) || !strings.Contains(err.Error(), key) && !strings.Contains(err.Error(), run.ID) {
				t.Fatalf("%s at %d: Load gives %v", what, at, err)
			}
		}
	}
	put(whole[:len(whole)/2])
	s := srv.on(t, t.TempDir())
	w = begin(t, s, run)
	if len(w.Notes) != 1 || !strings.Contains(w.Notes[0], "set aside as damaged/"+run.ID) {
		t.Errorf("notes %q", w.Notes)
	}
	if err := w.Finish(sample(1), nil); err != nil {
		t.Fatal(err)
	}
	srv.cut.Store(int64(len(whole) / 2))
	if got, err := srv.on(t, t.TempDir()).Load(run.ID); err == nil || got != nil {
		t.Errorf("cut on its way: %v, %v", got, err)
	}
	srv.cut.Store(0)
	if _, err := srv.on(t, t.TempDir()).Load(run.ID); err != nil {
		t.Error(err)
	}
	found, err := s.Garbage(t.Context(), runs.GC{Damaged: true})
	if err != nil || len(found) != 1 || !strings.Contains(found[0].Path, "damaged/") {
		t.Errorf("garbage %v, %v", found, err)
	}
}

func TestURLs(t *testing.T) {
	srv := serveS3(t)
	t.Setenv("METAMERS_CACHE", t.TempDir())
	for where, want := range map[string]string{
		"s3://nowhere/x?endpoint=" + srv.URL: `bucket "nowhere" does not exist`,
		"s3://lab/x?endpoint=ftp://x":        "ftp://x",
		"s3://lab/x?endpont=http://x":        `"endpont"`,
	} {
		s, err := runs.Open(where)
		if err == nil {
			_, err = s.IDs()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, expected %s", where, err, want)
		}
	}
	for where, want := range map[string]string{"s3://": "bucket", "s3:///x": "bucket", "s3://key:secret@lab/x": "xxxxx", "file://host/x": "file:///", "ftp://a/b": "ftp://"} {
		s, err := runs.Open(where)
		if err == nil {
			_, err = s.IDs()
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, expected %s", where, err, want)
		}
	}
	dir := t.TempDir()
	if s, err := runs.Open("file://" + dir); err != nil || s.Dir != dir || s.Where() != dir {
		t.Errorf("file: %v, %v", s, err)
	}
	if _, err := runs.Open(fmt.Sprintf("s3://lab/y?endpoint=%s", srv.URL)); err != nil {
		t.Error(err)
	}
	if _, err := srv.on(t, t.TempDir()).Load("0123456789abcdef"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no run: %v", err)
	}
}
