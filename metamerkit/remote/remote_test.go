package remote

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/errand"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// fake is an engine whose answers depend on the stage it is asked for.
type fake struct{ ended chan string }

func (f *fake) Synthesize(ctx context.Context, q api.Synthesis) (*metamer.Run, error) {
	switch q.Recipe.Stage {
	case "panic":
		panic("a defect")
	case "unknown":
		return nil, metamer.Unknown("stage", "unknown", metamer.Stages)
	case "slow":
		if q.Progress != nil {
			q.Progress(metamer.Progress{Phase: "synthesis", Step: 1})
		}
		<-ctx.Done()
		f.ended <- ctx.Err().Error()
		return nil, ctx.Err()
	}
	q.Warn("careful")
	if q.Progress != nil {
		q.Progress(metamer.Progress{Phase: "synthesis", Step: 3, Steps: 5, Loss: []float64{math.NaN(), 0.5}, Preview: []float32{0.25, 1}})
	}
	r := q.Recipe
	r.Images.Count = 1
	return &metamer.Run{
		ID: "0123456789abcdef", Recipe: r, Metamers: q.Images.Pixels, Start: []float32{0.5},
		Statistics: []metamer.MatchStatistics{{Member: "m", SNR: math.Inf(1), Verdict: "pass"}}, Trace: metamer.Trace{Step: []int{0}, Member: []int{0}, Image: []int{0}, Loss: [][]float32{{float32(math.NaN())}}},
	}, nil
}

func (f *fake) Evaluate(_ context.Context, q api.Evaluation) (metamer.Rows, error) {
	if len(q.Runs) == 0 {
		return nil, nil
	}
	return metamer.Rows{{Run: q.Runs[0].ID, Set: q.Images.Name, Measure: q.Measures[0], Value: math.NaN(), Low: float64(q.Runs[0].Metamers[0])}}, nil
}

func (f *fake) Batch(_ context.Context, q api.Batch) (int, error) { return min(q.Count, 5), nil }

func (f *fake) Models(context.Context) ([]api.Model, error) {
	return []api.Model{{Card: &card.Card{Name: "m", Config: []byte("{}"), Stages: map[string]card.Layer{"late": {Layer: "l"}}}, Missing: "get it"}}, nil
}

// serve runs a server in a folder of its own until the test ends.
func serve(t *testing.T, change func(s *Server)) (c *Client, dir string, ended chan string) {
	t.Helper()
	dir = t.TempDir()
	l, release, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{ended: make(chan string, 10)}
	s := &Server{Engine: f, Backend: "go", Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- errors.Join(s.Serve(ctx, l), release()) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(dir, "socket")); err == nil {
			t.Error("the socket is left behind")
		}
	})
	if c, err = Dial(Address(dir), s.Token); err != nil {
		t.Fatal(err)
	}
	return c, dir, f.ended
}

func asked(stage string) api.Synthesis {
	return api.Synthesis{Recipe: metamer.Recipe{Stage: stage}, Images: &images.Set{Name: "s", Size: 1, Names: []string{"a"}, Labels: []int{-1}, Pixels: []float32{0, 0.5, 1}}}
}

func TestRoundTrip(t *testing.T) {
	c, _, _ := serve(t, nil)
	q := asked("late")
	var seen []metamer.Progress
	var warned string
	q.Progress = func(p metamer.Progress) { seen = append(seen, p) }
	q.Warn = func(s string) { warned = s }
	run, err := c.Synthesize(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	if run.ID != "0123456789abcdef" || run.Recipe.Stage != "late" || len(run.Metamers) != 3 || run.Metamers[1] != 0.5 || run.Start[0] != 0.5 {
		t.Errorf("%+v", run)
	}
	if !math.IsInf(run.Statistics[0].SNR, 1) || !math.IsNaN(float64(run.Trace.Loss[0][0])) || warned != "careful" {
		t.Errorf("%+v %q", run, warned)
	}
	if len(seen) != 1 || seen[0].Step != 3 || !math.IsNaN(seen[0].Loss[0]) || len(seen[0].Preview) != 2 || seen[0].Preview[0] != 0.25 {
		t.Errorf("%+v", seen)
	}
}

func TestEvaluateAndModels(t *testing.T) {
	c, _, _ := serve(t, nil)
	rows, err := c.Evaluate(context.Background(), api.Evaluation{Runs: []*metamer.Run{{ID: "r", Metamers: []float32{0.5}}}, Images: asked("").Images, Measures: []string{"jsd"}})
	if err != nil || len(rows) != 1 || rows[0].Run != "r" || rows[0].Set != "s" || rows[0].Measure != "jsd" || !math.IsNaN(rows[0].Value) || rows[0].Low != 0.5 {
		t.Errorf("%+v %v", rows, err)
	}
	if rows, err := c.Evaluate(context.Background(), api.Evaluation{}); err != nil || len(rows) != 0 {
		t.Errorf("%+v %v", rows, err)
	}
	models, err := c.Models(context.Background())
	if err != nil || len(models) != 1 || models[0].Card.Name != "m" || models[0].Card.Stages["late"].Layer != "l" || models[0].Missing != "get it" {
		t.Errorf("%+v %v", models, err)
	}
}

// Errors keep their kinds, a panic ends one request only, and cancelling ends the
// work in the engine.
func TestFailures(t *testing.T) {
	c, dir, ended := serve(t, nil)
	_, err := c.Synthesize(context.Background(), asked("unknown"))
	var unknown *metamer.UnknownError
	if !errors.As(err, &unknown) || unknown.Name != "unknown" {
		t.Error(err)
	}
	if _, err = c.Synthesize(context.Background(), asked("panic")); err == nil || !strings.Contains(err.Error(), "a defect") {
		t.Error(err)
	}
	broken := asked("late")
	broken.Images.Pixels = broken.Images.Pixels[:2]
	if _, err := c.Synthesize(context.Background(), broken); err == nil || !strings.Contains(err.Error(), "2 values") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	q := asked("slow")
	q.Progress = func(metamer.Progress) { cancel() }
	if _, err := c.Synthesize(ctx, q); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	<-ended // or the engine goes on after its client left
	if _, err := c.Status(context.Background()); err != nil {
		t.Error(err)
	}
	var running *RunningError
	if _, _, err := Listen(dir); !errors.As(err, &running) {
		t.Errorf("a second engine in one folder: %v", err)
	}
	nobody, err := Dial(Address(t.TempDir()), "")
	if err != nil {
		t.Fatal(err)
	}
	var gone *UnreachableError
	if _, err := nobody.Synthesize(context.Background(), asked("late")); !errors.As(err, &gone) {
		t.Error(err)
	}
}

// Whatever is written to the socket, the engine goes on.
func TestGarbage(t *testing.T) {
	c, dir, _ := serve(t, nil)
	for _, junk := range []string{"", "\x00\xff\xfe", "GET / HTTP/1.1\r\n\r\n", strings.Repeat("A", 1<<17), "POST " + pathSynth + " HTTP/1.1\r\nHost: " + unixHost + "\r\nContent-Type: " + contentType + "\r\nContent-Length: 9\r\n\r\nno gob at"} {
		conn, err := net.Dial("unix", filepath.Join(dir, "socket"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, junk); err != nil && !errors.Is(err, syscall.EPIPE) {
			t.Fatal(err)
		}
		conn.Close()
	}
	if _, err := c.Synthesize(context.Background(), asked("late")); err != nil {
		t.Error(err)
	}
}

// A page in the user's browser, a host name that leads here, and a client without
// the token are refused.
func TestStrangers(t *testing.T) {
	l, token, err := ListenTCP(":0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Engine: &fake{}, Token: token, Log: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	defer func() { cancel(); <-done }()
	if !l.Addr().(*net.TCPAddr).IP.IsLoopback() {
		t.Fatalf("listens at %s", l.Addr())
	}
	for name, tc := range map[string]struct {
		change func(r *http.Request)
		want   int
	}{
		"ours":         {func(*http.Request) {}, 200},
		"no token":     {func(r *http.Request) { r.Header.Del("Authorization") }, 401},
		"wrong token":  {func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, 401},
		"web page":     {func(r *http.Request) { r.Header.Set("Origin", "http://localhost:8888") }, 403},
		"rebound name": {func(r *http.Request) { r.Host = "evil.example" }, 403},
		"form": {func(r *http.Request) {
			r.Method = http.MethodPost
			r.URL.Path = pathStop
			r.Header.Set("Content-Type", "text/plain")
		}, 415},
	} {
		r, err := http.NewRequest(http.MethodGet, "http://"+l.Addr().String()+pathHello, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		tc.change(r)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != tc.want {
			t.Errorf("%s: %s, expected %d", name, resp.Status, tc.want)
		}
	}
	c, err := Dial("tcp:"+l.Addr().String(), token)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Synthesize(context.Background(), asked("late")); err != nil {
		t.Error(err)
	}
}

// Another user of the host can neither open the socket nor read what lies beside it.
func TestOtherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can try it as another user")
	}
	_, dir, _ := serve(t, nil)
	if err := errand.Private(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "log"), []byte("what was asked"), 0o644); err != nil {
		t.Fatal(err)
	}
	for d := filepath.Dir(dir); d != "/" && d != os.TempDir(); d = filepath.Dir(d) { // all but the engine's own folder is open
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	tries := map[string]func() error{
		"connects": func() error {
			fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
			if err != nil {
				return err
			}
			defer syscall.Close(fd)
			return syscall.Connect(fd, &syscall.SockaddrUnix{Name: filepath.Join(dir, "socket")})
		},
		"lists the folder": func() error { _, err := syscall.Open(dir, syscall.O_RDONLY|syscall.O_DIRECTORY, 0); return err },
		"reads the log":    func() error { _, err := syscall.Open(filepath.Join(dir, "log"), syscall.O_RDONLY, 0); return err },
		"takes the lock":   func() error { _, err := syscall.Open(filepath.Join(dir, "lock"), syscall.O_RDONLY, 0); return err },
		"puts a socket of its own there": func() error {
			return syscall.Rename(filepath.Join(dir, "socket"), filepath.Join(dir, "mine"))
		},
	}
	result := make(chan map[string]error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread, which is another user now, ends with the goroutine
		got := map[string]error{}
		const keep = ^uintptr(0)
		if _, _, e := syscall.RawSyscall(syscall.SYS_SETRESUID, keep, 65534, keep); e != 0 {
			got["becomes another user"] = e
		} else {
			for name, try := range tries {
				got[name] = try()
			}
		}
		result <- got
	}()
	for name, err := range <-result {
		if !errors.Is(err, syscall.EACCES) {
			t.Errorf("another user %s: %v", name, err)
		}
	}
}

// An engine that nobody holds ends after its idle time; one that is held stays.
func TestIdle(t *testing.T) {
	dir := t.TempDir()
	l, release, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Engine: &fake{}, Idle: 100 * time.Millisecond, Log: slog.New(slog.DiscardHandler)}
	idle := s.Busy() // until the client holds the engine, however long that takes
	done := make(chan error, 1)
	go func() { done <- errors.Join(s.Serve(context.Background(), l), release()) }()
	c, err := Dial(Address(dir), "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, letGo := context.WithCancel(context.Background())
	ended, err := c.Hold(ctx)
	if err != nil {
		t.Fatal(err)
	}
	idle()
	select {
	case err := <-done:
		t.Fatalf("ended while held: %v", err)
	case <-time.After(500 * time.Millisecond):
	}
	letGo()
	<-ended
	if err := <-done; err != nil { // or an idle engine goes on
		t.Error(err)
	}
}

// Several clients at once each get their own answer.
func TestManyClients(t *testing.T) {
	c, _, _ := serve(t, nil)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			q := asked("late")
			q.Recipe.Seed = uint64(i)
			run, err := c.Synthesize(context.Background(), q)
			if err != nil || run.Recipe.Seed != uint64(i) {
				t.Errorf("%v", err)
			}
		})
	}
	wg.Wait()
}

func TestStop(t *testing.T) {
	dir := t.TempDir()
	l, release, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{ended: make(chan string, 1)}
	s := &Server{Engine: f, Log: slog.New(slog.DiscardHandler)}
	done := make(chan error, 1)
	go func() { done <- errors.Join(s.Serve(context.Background(), l), release()) }()
	c, err := Dial(Address(dir), "")
	if err != nil {
		t.Fatal(err)
	}
	lost := make(chan error, 1)
	q := asked("slow")
	began := make(chan bool)
	q.Progress = func(metamer.Progress) { close(began) }
	go func() { _, err := c.Synthesize(context.Background(), q); lost <- err }()
	<-began
	if err := c.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := <-lost; err == nil {
		t.Error("work of a stopped engine ends without an error")
	} else {
		t.Log(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := c.Stop(context.Background()); err == nil {
		t.Error("a second stop finds an engine")
	}
}
