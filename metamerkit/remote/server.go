package remote

import (
	"context"
	"crypto/subtle"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/errand"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

// Server serves an engine to clients.
type Server struct {
	Engine  api.Engine
	Backend string
	// Token, if set, is asked of every request: for listeners that others can reach.
	Token string
	// Store, if set, is where runs of clients on other machines are kept, whose folders
	// are not this machine's.
	Store *runs.Store
	// Extra returns further files to save with each run (see api.Synthesis).
	Extra func(q api.Synthesis) func(*metamer.Run) map[string]func(path string) error
	// Idle ends Serve when for this long nobody held the engine and nothing was under
	// way; 0: never.
	Idle   time.Duration
	Loaded func() []string // names of the models in memory, may be nil
	Log    *slog.Logger    // nil: slog.Default()

	mu       sync.Mutex
	holders  int
	working  int
	lastUsed time.Time
	stop     chan struct{}
	stopOnce sync.Once
	started  time.Time
	binary   os.FileInfo
	path     string
	shelf    shelf
}

// Serve answers requests until ctx ends, a client asks it to stop, or it was idle
// for too long. Work under way is cancelled then, and its checkpoints stay.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	if s.Log == nil {
		s.Log = slog.Default()
	}
	s.mu.Lock()
	s.stop, s.started, s.lastUsed = make(chan struct{}), time.Now(), time.Now()
	if path, err := os.Executable(); err == nil {
		s.path = path
		s.binary, _ = os.Stat(path) // nil: cannot become stale
	}
	s.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+pathHello, s.hello)
	mux.HandleFunc("POST "+pathSynth, s.synthesize)
	mux.HandleFunc("POST "+pathEval, s.evaluate)
	mux.HandleFunc("POST "+pathModels, s.models)
	mux.HandleFunc("POST "+pathBatch, s.batch)
	mux.HandleFunc("POST "+pathHold, s.hold)
	mux.HandleFunc("POST "+pathHave, s.have)
	mux.HandleFunc("POST "+pathRun, s.run)
	mux.HandleFunc("POST "+pathStop, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
		s.stopOnce.Do(func() { close(s.stop) })
	})
	h := &http.Server{
		Handler: s.guard(mux), ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 1 << 16,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(s.Log.Handler(), slog.LevelWarn),
	}
	done := make(chan error, 1)
	go func() { done <- h.Serve(l) }()
	tick := time.NewTicker(max(min(s.Idle/4, 5*time.Second), 10*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return fmt.Errorf("remote: serving: %w", err)
		case <-ctx.Done():
			return s.end(h, cancel, "asked to")
		case <-s.stop:
			return s.end(h, cancel, "a client asked it to")
		case <-tick.C:
			if s.idle() {
				return s.end(h, cancel, "idle")
			}
		}
	}
}

func (s *Server) end(h *http.Server, cancel func(), why string) error {
	s.Log.Info("engine stops", "why", why)
	cancel() // work under way ends within a chunk and saves its checkpoint
	ctx, done := context.WithTimeout(context.Background(), 20*time.Second)
	defer done()
	if err := h.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("remote: ending: %w", err)
	}
	return h.Close()
}

func (s *Server) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Idle > 0 && s.holders == 0 && s.working == 0 && time.Since(s.lastUsed) >= s.Idle
}

// count notes that a request began and returns what notes its end.
func (s *Server) count(n *int) func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	*n++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		*n--
		s.lastUsed = time.Now()
	}
}

// guard refuses what no client of ours sends: requests of web pages (they carry an
// Origin, or cannot set our content type), names of hosts that lead here by a trick
// of DNS, and requests without the token.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "":
			http.Error(w, "requests of web pages are refused", http.StatusForbidden)
		case !localName(r.Host):
			http.Error(w, fmt.Sprintf("the host %q is none of this engine's names", r.Host), http.StatusForbidden)
		case s.Token != "" && subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+s.Token)) != 1:
			http.Error(w, "the token is missing or wrong", http.StatusUnauthorized)
		case r.Method == http.MethodPost && r.Header.Get("Content-Type") != contentType:
			http.Error(w, "expected content of type "+contentType, http.StatusUnsupportedMediaType)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func localName(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip := net.ParseIP(host)
	return host == "localhost" || host == unixHost || ip != nil && ip.IsLoopback()
}

// Busy notes that work began which came another way than by requests, and returns what
// notes its end.
func (s *Server) Busy() (done func()) { return s.count(&s.working) }

// Status is what the server says of itself.
func (s *Server) Status() Status {
	s.mu.Lock()
	st := Status{Protocol: Protocol, PID: os.Getpid(), Backend: s.Backend, Program: s.path, Started: s.started, Holders: s.holders, Working: s.working}
	binary := s.binary
	s.mu.Unlock()
	if binary != nil {
		now, err := os.Stat(st.Program)
		st.Stale = err != nil || !os.SameFile(now, binary) || now.ModTime() != binary.ModTime()
	}
	return st
}

func (s *Server) hello(w http.ResponseWriter, _ *http.Request) {
	st := s.Status()
	st.MemoryMB = resident() >> 20
	if s.Loaded != nil {
		st.Models = s.Loaded()
	}
	w.Header().Set("Content-Type", contentType)
	if err := gob.NewEncoder(w).Encode(st); err != nil {
		s.Log.Warn("hello", "error", err)
	}
}

// hold keeps the engine alive for as long as the client keeps the connection.
func (s *Server) hold(w http.ResponseWriter, r *http.Request) {
	defer s.count(&s.holders)()
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

// answer sends events; it is safe for use by several goroutines.
type answer struct {
	mu  sync.Mutex
	enc *gob.Encoder
	out http.Flusher
	far int // pixels a side of previews for a client on another machine, 0: it is on this one
}

func (a *answer) send(e event) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.enc.Encode(e); err != nil {
		return err
	}
	a.out.Flush()
	return nil
}

// warn and progress ignore that the client left: its context has ended then.
func (a *answer) warn(text string) { _ = a.send(event{Warning: text}) }

func (a *answer) progress(p metamer.Progress) {
	preview := p.Preview
	p.Preview = nil
	e := &progress{Progress: p, Preview: preview}
	if a.far > 0 {
		e.Preview, e.Small = nil, small(preview, a.far)
	}
	_ = a.send(event{Progress: e})
}

func (s *Server) synthesize(w http.ResponseWriter, r *http.Request) {
	var q synthesis
	s.work(w, r, &q, func(ctx context.Context, a *answer) (event, error) {
		if err := s.nearby(&q.Store, q.Images, q.ImagesSum); err != nil {
			return event{}, err
		}
		req, err := q.ask()
		if err != nil {
			return event{}, err
		}
		var store *runs.Store
		if req.Store != "" {
			if store, err = runs.Open(req.Store); err != nil {
				return event{}, err
			}
		}
		s.putAway(req.Images, q.ImagesSum, store)
		if s.Extra != nil {
			req.Extra = s.Extra(req)
		}
		req.Warn = a.warn
		if s.Store != nil && req.Images != nil {
			a.far = req.Images.Size
		}
		if q.Progress {
			req.Progress = a.progress
		}
		run, err := s.Engine.Synthesize(ctx, req)
		if err != nil {
			return event{}, err
		}
		return event{Run: packRun(run, q.Brief)}, nil
	})
}

func (s *Server) evaluate(w http.ResponseWriter, r *http.Request) {
	var q evaluation
	s.work(w, r, &q, func(ctx context.Context, a *answer) (event, error) {
		if err := s.nearby(nil, q.Images, q.ImagesSum); err != nil {
			return event{}, err
		}
		req, err := q.ask()
		if err != nil {
			return event{}, err
		}
		s.putAway(req.Images, q.ImagesSum, nil)
		if err := s.fill(ctx, req.Runs); err != nil {
			return event{}, err
		}
		req.Warn = a.warn
		if q.Progress {
			req.Progress = a.progress
		}
		got, err := s.Engine.Evaluate(ctx, req)
		return event{Rows: errand.PackRows(got)}, err
	})
}

func (s *Server) models(w http.ResponseWriter, r *http.Request) {
	var q struct{ Nothing bool }
	s.work(w, r, &q, func(ctx context.Context, _ *answer) (event, error) {
		got, err := s.Engine.Models(ctx)
		return event{Models: &modelList{got}}, err
	})
}

func (s *Server) batch(w http.ResponseWriter, r *http.Request) {
	var q api.Batch
	s.work(w, r, &q, func(ctx context.Context, _ *answer) (event, error) {
		got, err := s.Engine.Batch(ctx, q)
		return event{Batch: &batch{got}}, err
	})
}

// alive is how often a quiet answer says that it is not dead.
const alive = 5 * time.Second

// work decodes a request into q, carries it out and sends its last event. A panic
// of the engine is an error of this request only.
func (s *Server) work(w http.ResponseWriter, r *http.Request, q any, do func(context.Context, *answer) (event, error)) {
	defer s.count(&s.working)()
	if err := gob.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(q); err != nil {
		http.Error(w, "the request cannot be read: "+err.Error(), http.StatusBadRequest)
		return
	}
	if n, err := io.Copy(io.Discard, io.LimitReader(r.Body, 1)); n > 0 || err != nil {
		http.Error(w, "there is more behind the request", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(http.StatusOK)
	a := &answer{enc: gob.NewEncoder(w), out: w.(http.Flusher)}
	ctx, cancel := context.WithCancel(r.Context())
	var beat sync.WaitGroup
	beat.Go(func() {
		t := time.NewTicker(alive)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
				if a.send(event{Alive: true}) != nil {
					return
				}
			}
		}
	})
	last, err := func() (e event, err error) {
		defer func() {
			if p := recover(); p != nil {
				s.Log.Error("panic", "request", r.URL.Path, "value", p, "stack", string(debug.Stack()))
				err = fmt.Errorf("engine: a defect in the engine: %v", p)
			}
		}()
		return do(ctx, a)
	}()
	cancel()
	beat.Wait()
	if err != nil {
		last = event{Failed: errand.PackError(err)}
	}
	if err := a.send(last); err != nil && r.Context().Err() == nil {
		s.Log.Warn("answering", "request", r.URL.Path, "error", err)
	}
}
