package server

import (
	"bufio"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/client"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// service answers by the stage that it is asked for.
type service struct{ ended chan string }

func (f *service) Do(ctx context.Context, q api.Request, show func(api.Event)) (*api.Reply, error) {
	if q.Synthesize == nil {
		return &api.Reply{}, nil
	}
	switch q.Synthesize.Recipe.Stage {
	case "panic":
		panic("a defect")
	case "unknown":
		return nil, metamer.Unknown("stage", "unknown", metamer.Stages)
	case "slow":
		show(api.Event{Shown: &api.Shown{Text: "step 1"}})
		<-ctx.Done()
		f.ended <- ctx.Err().Error()
		return nil, ctx.Err()
	}
	show(api.Event{Warning: "careful"})
	show(api.Event{Shown: &api.Shown{Text: "step 3"}})
	r := q.Synthesize.Recipe
	r.Images.Count = 1
	return &api.Reply{Pixels: []float32{0, 0.5, 1}, Runs: []*metamer.Run{{
		ID: "0123456789abcdef", Recipe: r,
		Statistics: []metamer.MatchStatistics{{Member: "m", SNR: math.Inf(1), Verdict: "pass"}}, Trace: metamer.Trace{Step: []int{0}, Member: []int{0}, Image: []int{0}, Loss: [][]float32{{float32(math.NaN())}}},
	}}}, nil
}

// serve runs a server in a folder of its own until the test ends.
func serve(t *testing.T) (c *client.Client, dir string, ended chan string) {
	t.Helper()
	dir = t.TempDir()
	f := &service{ended: make(chan string, 10)}
	serveIn(t, dir, &Server{Service: f, Backend: "go", Log: slog.New(slog.DiscardHandler)})
	return &client.Client{Address: api.Address(dir)}, dir, f.ended
}

// serveIn runs a server in a folder until the test ends, and then expects no socket there.
func serveIn(t *testing.T, dir string, s *Server) {
	t.Helper()
	l, release, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- errors.Join(s.Serve(ctx, l), release()) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(api.Socket(dir)); err == nil {
			t.Error("the socket is left behind")
		}
	})
}

func asked(stage string) api.Request {
	return api.Request{Synthesize: &api.Synthesis{Recipe: metamer.Recipe{Stage: stage}}}
}

func TestRoundTrip(t *testing.T) {
	c, _, _ := serve(t)
	var seen []string
	reply, err := c.Do(context.Background(), asked("late"), func(e api.Event) {
		if e.Shown != nil {
			seen = append(seen, e.Shown.Text)
		}
		seen = append(seen, e.Warning)
	})
	if err != nil {
		t.Fatal(err)
	}
	run := reply.Runs[0]
	if run.ID != "0123456789abcdef" || run.Recipe.Stage != "late" || len(reply.Pixels) != 3 || reply.Pixels[1] != 0.5 {
		t.Errorf("%+v", run)
	}
	if !math.IsInf(run.Statistics[0].SNR, 1) || !math.IsNaN(float64(run.Trace.Loss[0][0])) || strings.Join(seen, " ") != "careful step 3 " {
		t.Errorf("%+v %q", run, seen)
	}
	st, err := c.Status(context.Background())
	if err != nil || st.Protocol != api.Protocol || st.PID != os.Getpid() || st.Backend != "go" || st.Working != 0 || st.Stale {
		t.Errorf("%+v %v", st, err)
	}
}

// Errors keep their kinds, a panic ends one request only, and cancelling ends the
// work in the engine.
func TestServerFailures(t *testing.T) {
	c, dir, ended := serve(t)
	_, err := c.Do(context.Background(), asked("unknown"), nothing)
	var unknown *metamer.UnknownError
	if !errors.As(err, &unknown) || unknown.Name != "unknown" {
		t.Error(err)
	}
	if _, err = c.Do(context.Background(), asked("panic"), nothing); err == nil || !strings.Contains(err.Error(), "a defect") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if _, err := c.Do(ctx, asked("slow"), func(api.Event) { cancel() }); !errors.Is(err, context.Canceled) {
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
	nobody := &client.Client{Address: api.Address(t.TempDir())}
	var gone *client.UnreachableError
	if _, err := nobody.Do(context.Background(), asked("late"), nothing); !errors.As(err, &gone) {
		t.Error(err)
	}
}

// Whatever is written to the socket, the engine goes on.
func TestGarbageFirst(t *testing.T) {
	c, dir, _ := serve(t)
	for _, junk := range []string{"", "\x00\xff\xfe", "GET / HTTP/1.1\r\n\r\n", strings.Repeat("A", 1<<17), api.Preamble("") + "no gob at all", api.Preamble("") + "\x00\xff\xfe\xff\xff"} {
		conn, err := net.Dial("unix", api.Socket(dir))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, junk); err != nil && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
			t.Fatal(err)
		}
		conn.Close()
	}
	if _, err := c.Do(context.Background(), asked("late"), nothing); err != nil {
		t.Error(err)
	}
}

// tcp runs a server on TCP until the test ends.
func tcp(t *testing.T, s api.Service) (address, token string) {
	t.Helper()
	l, token, err := ListenTCP(":0")
	if err != nil {
		t.Fatal(err)
	}
	if !l.Addr().(*net.TCPAddr).IP.IsLoopback() {
		t.Fatalf("listens at %s", l.Addr())
	}
	serveOn(t, s, l, token)
	return l.Addr().String(), token
}

func serveOn(t *testing.T, s api.Service, l net.Listener, token string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- (&Server{Service: s, Token: token, Log: slog.New(slog.DiscardHandler)}).Serve(ctx, l)
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// Who does not begin as a client does, or has not the token, is refused before anything
// that it sends is decoded.
func TestStrangers(t *testing.T) {
	address, token := tcp(t, &service{})
	for name, tc := range map[string]struct{ first, want string }{
		"ours":             {api.Preamble(token), "hello"},
		"no token":         {api.Preamble(""), "the token is missing or wrong"},
		"wrong token":      {api.Preamble(token[1:]), "the token is missing or wrong"},
		"another version":  {fmt.Sprintf("%s 99 %s\n", api.Magic, token), "hello"}, // the client compares
		"another protocol": {"POST /v1/stop HTTP/1.1\r\nAuthorization: Bearer " + token + "\r\n\r\n", "closed"},
		"a long line":      {api.Magic + strings.Repeat(" ", 1<<16) + token + "\n", "closed"},
	} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, tc.first) // it may be closed in the middle
		got := "closed"
		var e api.Event
		if gob.NewDecoder(conn).Decode(&e) == nil {
			switch {
			case e.Hello != nil:
				got = "hello"
			case e.Failed != nil:
				got = e.Failed.Text
			}
		}
		conn.Close()
		if !strings.Contains(got, tc.want) {
			t.Errorf("%s: %q, expected %q", name, got, tc.want)
		}
	}
	if _, err := (&client.Client{Address: "tcp:" + address, Token: token}).Do(context.Background(), asked("late"), nothing); err != nil {
		t.Error(err)
	}
	if _, err := (&client.Client{Address: "tcp:" + address, Token: "x"}).Status(context.Background()); !errors.Is(err, api.ErrToken) && !strings.Contains(err.Error(), "the token is missing or wrong") {
		t.Error(err)
	}
}

// Another user of the host can neither open the socket nor read what lies beside it.
func TestOtherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can try it as another user")
	}
	_, dir, _ := serve(t)
	if err := api.Private(dir); err != nil {
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
		if _, _, e := syscall.RawSyscall(syscall.SYS_SETRESUID, keep, 65534, keep); e == syscall.EINVAL {
			got = nil // a namespace without other users
		} else if e != 0 {
			got["becomes another user"] = e
		} else {
			for name, try := range tries {
				got[name] = try()
			}
		}
		result <- got
	}()
	got := <-result
	if got == nil {
		t.Skip("there is no other user in this namespace")
	}
	for name, err := range got {
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
	s := &Server{Service: &service{}, Idle: 100 * time.Millisecond, Log: slog.New(slog.DiscardHandler)}
	idle := s.count(&s.working) // until the client holds the engine, however long that takes
	done := make(chan error, 1)
	ctx, letGo := context.WithCancel(context.Background())
	defer letGo()
	go func() { done <- errors.Join(s.Serve(context.Background(), l), release()) }()
	ended, err := (&client.Client{Address: api.Address(dir)}).Hold(ctx)
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

// Rested is called once after each request, and not in one.
func TestRested(t *testing.T) {
	rested := make(chan bool, 10)
	s := &Server{Service: &service{}, Idle: time.Hour, Rested: func() { rested <- true }, Log: slog.New(slog.DiscardHandler)}
	for range 2 {
		over := s.count(&s.working)
		if s.rests(0) {
			t.Error("rests in a request")
		}
		over()
		if s.rests(time.Hour) {
			t.Error("rests at once")
		}
		if !s.rests(0) || s.rests(0) {
			t.Error("does not rest once")
		}
	}
	s.count(&s.working)()
	s.Idle = 40 * time.Millisecond
	l, release, err := Listen(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- errors.Join(s.Serve(context.Background(), l), release()) }()
	<-rested
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Several clients at once each get their own answer.
func TestManyClients(t *testing.T) {
	c, _, _ := serve(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			q := asked("late")
			q.Synthesize.Recipe.Seed = uint64(i)
			r, err := c.Do(context.Background(), q, nothing)
			if err != nil || r.Runs[0].Recipe.Seed != uint64(i) {
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
	f := &service{ended: make(chan string, 1)}
	s := &Server{Service: f, Log: slog.New(slog.DiscardHandler)}
	done := make(chan error, 1)
	go func() { done <- errors.Join(s.Serve(context.Background(), l), release()) }()
	c := &client.Client{Address: api.Address(dir)}
	lost, began := make(chan error, 1), make(chan bool)
	go func() {
		_, err := c.Do(context.Background(), asked("slow"), func(api.Event) { close(began) })
		lost <- err
	}()
	<-began
	if err := c.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := <-lost; err == nil {
		t.Error("work of a stopped engine ends without an error")
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := c.Stop(context.Background()); err == nil {
		t.Error("a second stop finds an engine")
	}
}

// An engine of another version is an error that names both, and on another machine it
// cannot be started again from here.
func TestVersion(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
			t.Error(err)
		}
		_ = gob.NewEncoder(conn).Encode(api.Event{Hello: &api.Status{Protocol: api.Protocol + 1, PID: 7}}) // the client checks
	}()
	_, err = (&client.Client{Address: "tcp:" + l.Addr().String()}).Do(context.Background(), asked("late"), nothing)
	var version *client.VersionError
	if !errors.As(err, &version) || version.Status.PID != 7 || !strings.Contains(err.Error(), "start the same version there") || strings.Contains(err.Error(), "engine stop") {
		t.Error(err)
	}
}
