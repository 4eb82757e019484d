package fetch

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// body is what the servers of these tests hold.
var body = func() []byte {
	b := make([]byte, 3<<20)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}()

func sum(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }

// server answers with each handler once, then with the last one.
func server(t *testing.T, answers ...http.HandlerFunc) (*httptest.Server, func() []*http.Request) {
	t.Helper()
	var mu sync.Mutex
	var seen []*http.Request
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		h := answers[min(len(seen), len(answers)-1)]
		seen = append(seen, r)
		mu.Unlock()
		h(w, r)
	}))
	t.Cleanup(s.Close)
	return s, func() []*http.Request { mu.Lock(); defer mu.Unlock(); return seen }
}

// whole serves the body with ranges and an ETag.
func whole(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("ETag", `"v1"`)
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// cut serves what is asked for and cuts the connection after n bytes of it.
func cut(n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		whole(&cutter{w, n}, r)
	}
}

type cutter struct {
	http.ResponseWriter
	left int
}

func (c *cutter) Write(b []byte) (int, error) {
	if len(b) > c.left {
		c.ResponseWriter.Write(b[:c.left])
		c.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	c.left -= len(b)
	return c.ResponseWriter.Write(b)
}

func code(n int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		http.Error(w, fmt.Sprintf("says %d", n), n)
	}
}

func request(s *httptest.Server) Request {
	return Request{URL: s.URL + "/f", Backoff: time.Millisecond, Tries: 3}
}

// holds fails unless dir holds exactly these files.
func holds(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the folder holds %v, expected %v", got, want)
	}
}

func TestWhole(t *testing.T) {
	s, seen := server(t, whole)
	dir := t.TempDir()
	path := filepath.Join(dir, "new", "f")
	r := request(s)
	m := md5.Sum(body)
	r.SHA256, r.MD5, r.Size = sum(body)[:8], hex.EncodeToString(m[:]), int64(len(body))
	var last, total int64
	r.Progress = func(d, n int64) { last, total = d, n }
	for i, there := range []bool{false, true} {
		res, err := File(context.Background(), path, r)
		if err != nil || res != (Result{sum(body), int64(len(body)), there}) {
			t.Fatalf("%+v, %v", res, err)
		}
		if n := len(seen()); n != 1 {
			t.Errorf("call %d: %d requests in all, expected 1", i, n)
		}
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, body) {
		t.Errorf("the file differs (%v)", err)
	}
	if last != int64(len(body)) || total != last {
		t.Errorf("progress ended at %d of %d", last, total)
	}
	holds(t, filepath.Dir(path), "f")
	r.SHA256 = strings.Repeat("0", 64)
	if _, err := File(context.Background(), path, r); err == nil || !strings.Contains(err.Error(), "wrong checksum") {
		t.Errorf("a file with another sum was taken: %v", err)
	}
}

// A connection cut in the middle is taken up where it was, as often as it goes forward.
func TestCutsAreResumed(t *testing.T) {
	s, seen := server(t, cut(100<<10), cut(1<<20), cut(70<<10), cut(80<<10), cut(90<<10), whole)
	path := filepath.Join(t.TempDir(), "f")
	res, err := File(context.Background(), path, request(s))
	if err != nil || res.SHA256 != sum(body) {
		t.Fatalf("%+v, %v", res, err)
	}
	for i, r := range seen() {
		if got := r.Header.Get("Range"); (i > 0) != strings.HasPrefix(got, "bytes=") || i > 0 && r.Header.Get("If-Range") != `"v1"` {
			t.Errorf("request %d has the range %q and If-Range %q", i, got, r.Header.Get("If-Range"))
		}
	}
	holds(t, filepath.Dir(path), "f")
}

// Cancelling keeps the part; the next call asks for the rest only.
func TestCancelAndGoOn(t *testing.T) {
	for _, ranges := range []bool{true, false} {
		ctx, cancel := context.WithCancel(context.Background())
		first := func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"v1"`)
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
			w.Write(body[:1<<20])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}
		second := whole
		if !ranges {
			second = func(w http.ResponseWriter, r *http.Request) { r.Header.Del("Range"); whole(w, r) }
		}
		s, seen := server(t, first, second)
		dir := t.TempDir()
		path := filepath.Join(dir, "f")
		r := request(s)
		r.Progress = func(done, _ int64) {
			if done >= 1<<20 {
				cancel()
			}
		}
		_, err := File(ctx, path, r)
		var c *CutError
		if !errors.As(err, &c) || !errors.Is(err, context.Canceled) || c.Done != 1<<20 || c.Total != int64(len(body)) {
			t.Fatalf("got %v", err)
		}
		holds(t, dir, "f.part", "f.part.json")
		r.Progress = nil
		if res, err := File(context.Background(), path, r); err != nil || res.SHA256 != sum(body) {
			t.Fatalf("%+v, %v", res, err)
		}
		if ask := seen()[1].Header.Get("Range"); ask != "bytes=1048576-" && ranges {
			t.Errorf("the second call asked for %q", ask)
		}
		holds(t, dir, "f")
	}
}

// Bytes of another version are not mixed with the new ones.
func TestChangedOnTheServer(t *testing.T) {
	other := bytes.Repeat([]byte("new version "), 1000)
	s, _ := server(t, cut(1<<20), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v2"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(other))
	})
	path := filepath.Join(t.TempDir(), "f")
	if res, err := File(context.Background(), path, request(s)); err != nil || res.SHA256 != sum(other) {
		t.Fatalf("%+v, %v", res, err)
	}
	// A part that is damaged on the disk is found by the sum, and begun anew once.
	dir := t.TempDir()
	path = filepath.Join(dir, "f")
	s, seen := server(t, whole)
	os.WriteFile(path+".part", make([]byte, 5000), 0o666)
	os.WriteFile(path+".part.json", []byte(`{"url":"`+s.URL+`/f","etag":"\"v1\""}`), 0o666)
	r := request(s)
	r.SHA256 = sum(body)
	if _, err := File(context.Background(), path, r); err != nil {
		t.Fatal(err)
	}
	if got := seen(); len(got) != 2 || got[0].Header.Get("Range") == "" || got[1].Header.Get("Range") != "" {
		t.Errorf("%d requests", len(got))
	}
}

func TestRefused(t *testing.T) {
	page := "\n<!DOCTYPE html><title>Sign in</title>"
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		change func(*Request)
		want   string
	}{
		"page by type": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprint(w, "Please sign in")
		}, nil, "an HTML page"},
		"page by content": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/octet-stream")
			fmt.Fprint(w, page)
		}, nil, "an HTML page"},
		"checksum":        {whole, func(r *Request) { r.SHA256 = strings.Repeat("ab", 32) }, "a wrong checksum: SHA-256 " + sum(body)},
		"first digits":    {whole, func(r *Request) { r.SHA256 = "abababab" }, "a wrong checksum"},
		"md5":             {whole, func(r *Request) { r.MD5 = strings.Repeat("ab", 16) }, "a wrong checksum: MD5"},
		"short, declared": {whole, func(r *Request) { r.Size = 4 << 20 }, "a short file"},
		"long, declared":  {whole, func(r *Request) { r.Size = 1 << 20 }, "too long a file"},
		"short, undeclared": {func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush() // chunked
			w.Write(body[:1000])
		}, func(r *Request) { r.Size = int64(len(body)) }, "a short file: 1000 bytes"},
		"empty": {func(w http.ResponseWriter, r *http.Request) {}, nil, "an empty file"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := server(t, c.answer)
			dir := t.TempDir()
			r := request(s)
			if c.change != nil {
				c.change(&r)
			}
			_, err := File(context.Background(), filepath.Join(dir, "f"), r)
			var refused *RefusedError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), s.URL) {
				t.Errorf("got %v, expected %q in it", err, c.want)
			}
			holds(t, dir)
		})
	}
}

func TestStatus(t *testing.T) {
	for _, n := range []int{401, 403, 404} {
		s, seen := server(t, code(n))
		dir := t.TempDir()
		_, err := File(context.Background(), filepath.Join(dir, "f"), request(s))
		var status *StatusError
		if !errors.As(err, &status) || status.Code != n || !strings.Contains(status.Message, fmt.Sprint("says ", n)) || len(seen()) != 1 {
			t.Errorf("%d: %v after %d requests", n, err, len(seen()))
		}
		holds(t, dir)
	}
	// 429 and 5xx are tried again, for a while.
	s, _ := server(t, code(503), code(429, "Retry-After", "0"), whole)
	if _, err := File(context.Background(), filepath.Join(t.TempDir(), "f"), request(s)); err != nil {
		t.Error(err)
	}
	s, seen := server(t, code(500))
	_, err := File(context.Background(), filepath.Join(t.TempDir(), "f"), request(s))
	var status *StatusError
	if !errors.As(err, &status) || status.Code != 500 || len(seen()) != 3 {
		t.Errorf("%v after %d requests, expected 500 after 3", err, len(seen()))
	}
	// A server that cuts and never goes forward is given up; what is there stays.
	s, seen = server(t, cut(1<<20), cut(0))
	dir := t.TempDir()
	_, err = File(context.Background(), filepath.Join(dir, "f"), request(s))
	var c *CutError
	if !errors.As(err, &c) || c.Done != 1<<20 || len(seen()) > 5 {
		t.Errorf("%v after %d requests", err, len(seen()))
	}
	holds(t, dir, "f.part", "f.part.json")
}

// A token stays with the host it is for.
func TestRedirects(t *testing.T) {
	elsewhere, seen := server(t, whole)
	here, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" {
			t.Error("the first host got no token")
		}
		if r.URL.Path == "/f" {
			http.Redirect(w, r, "/moved", http.StatusFound)
			return
		}
		http.Redirect(w, r, elsewhere.URL+"/blob?sig=1", http.StatusFound)
	})
	r := request(here)
	r.Header = http.Header{"Authorization": {"Bearer secret"}}
	if _, err := File(context.Background(), filepath.Join(t.TempDir(), "f"), r); err != nil {
		t.Fatal(err)
	}
	for _, q := range seen() {
		if got := q.Header.Get("Authorization"); got != "" {
			t.Errorf("the other host got %q", got)
		}
	}
	secure := httptest.NewTLSServer(http.RedirectHandler(elsewhere.URL, http.StatusFound))
	defer secure.Close()
	r.URL, r.Client = secure.URL, secure.Client()
	if _, err := File(context.Background(), filepath.Join(t.TempDir(), "f"), r); err == nil || !strings.Contains(err.Error(), "from https to http") {
		t.Errorf("got %v", err)
	}
	loop, _ := server(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/f", http.StatusFound) })
	if _, err := File(context.Background(), filepath.Join(t.TempDir(), "f"), request(loop)); err == nil || !strings.Contains(err.Error(), "10 redirects") {
		t.Errorf("got %v", err)
	}
}

func TestNoSpace(t *testing.T) {
	s, _ := server(t, whole)
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	oldFree, oldWrite := freeSpace, write
	defer func() { freeSpace, write = oldFree, oldWrite }()
	freeSpace = func(string) (uint64, error) { return 1000, nil }
	var space *SpaceError
	if _, err := File(context.Background(), path, request(s)); !errors.As(err, &space) || space.Need != uint64(len(body)) || space.Free != 1000 {
		t.Errorf("got %v", err)
	}
	holds(t, dir)
	freeSpace = oldFree
	written := 0
	write = func(f *os.File, b []byte) (int, error) { // the disk fills up meanwhile
		if written += len(b); written > 1<<20 {
			return 0, &os.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC}
		}
		return f.Write(b)
	}
	if _, err := File(context.Background(), path, request(s)); !errors.As(err, &space) || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("got %v", err)
	}
	write = oldWrite
	if _, err := os.Stat(path); err == nil {
		t.Error("a file is there")
	}
	if res, err := File(context.Background(), path, request(s)); err != nil || res.SHA256 != sum(body) {
		t.Errorf("%+v, %v", res, err)
	}
}

// Nothing comes and nothing ends: the attempt counts as cut.
func TestStall(t *testing.T) {
	s, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}, whole)
	r := request(s)
	r.Stall, r.Tries = 100*time.Millisecond, 1000 // later attempts may stall too, on a busy machine
	if res, err := File(context.Background(), filepath.Join(t.TempDir(), "f"), r); err != nil || res.SHA256 != sum(body) {
		t.Errorf("%+v, %v", res, err)
	}
}

// Several downloads of one path transfer it once.
func TestTogether(t *testing.T) {
	s, seen := server(t, whole)
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if res, err := File(context.Background(), path, request(s)); err != nil || res.SHA256 != sum(body) {
				t.Errorf("%+v, %v", res, err)
			}
		})
	}
	wg.Wait()
	if len(seen()) != 1 {
		t.Errorf("%d requests", len(seen()))
	}
	holds(t, dir, "f")
}

// Who has renamed or removed its part leaves alone the part that another begins meanwhile.
func TestPartOfAnother(t *testing.T) {
	for name, end := range map[string]func(*part) error{
		"removed": func(p *part) error { p.discard(); return nil },
		"renamed": func(p *part) error {
			_, err := Request{}.finish(filepath.Join(filepath.Dir(p.path), "whole"), p, newDigest())
			return err
		},
	} {
		path := filepath.Join(t.TempDir(), "f")
		ours, err := lockPart(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if err := end(ours); err != nil {
			t.Fatal(err)
		}
		theirs, err := lockPart(t.Context(), path)
		if err == nil {
			err = theirs.remember(past{URL: "x"})
		}
		if err != nil {
			t.Fatal(err)
		}
		ours.discard()
		ours.close()
		holds := func(p string) {
			if _, err := os.Stat(p); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		holds(path + ".part")
		holds(path + ".part.json")
		theirs.close()
	}
}
