package hub

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const commit = "0123456789abcdef0123456789abcdef01234567"

// play is a hub with one repository and a storage on another host. The storage
// cuts its first answer in the middle.
type play struct {
	hub, storage *httptest.Server
	body         []byte
	token        string // that the hub wants
	status       int    // answered instead, if not 0
	asked        []string
	gets         int
}

func newPlay(t *testing.T) *play {
	p := &play{body: bytes.Repeat([]byte("weights "), 20000)}
	sum := sha256.Sum256(p.body)
	p.storage = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("the storage got the token")
		}
		w.Header().Set("ETag", `"of the storage"`)
		w.Header().Set("Content-Type", "binary/octet-stream")
		if p.gets++; p.gets == 1 {
			w.Header().Set("Content-Length", "160000")
			w.Write(p.body[:70000])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(p.body))
	}))
	p.hub = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked = append(p.asked, r.Method+" "+r.URL.Path)
		if p.status != 0 {
			w.Header().Set("X-Error-Message", "the hub says no")
			w.WriteHeader(p.status)
			return
		}
		if p.token != "" && r.Header.Get("Authorization") != "Bearer "+p.token {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if strings.HasPrefix(r.URL.Path, "/old/") { // renamed
			http.Redirect(w, r, strings.Replace(r.URL.Path, "/old/", "/timm/", 1), http.StatusTemporaryRedirect)
			return
		}
		rest, ok := strings.CutPrefix(r.URL.Path, "/timm/net.a1/resolve/")
		at, name, _ := strings.Cut(rest, "/")
		if !ok || name != "model.safetensors" || at != "main" && at != "v1" && at != commit {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("X-Repo-Commit", commit)
		w.Header().Set("X-Linked-Etag", `"`+hex.EncodeToString(sum[:])+`"`)
		w.Header().Set("X-Linked-Size", "160000")
		w.Header().Set("ETag", `"of the pointer"`)
		http.Redirect(w, r, p.storage.URL+"/blob?sig=x", http.StatusFound)
	}))
	t.Cleanup(func() { p.hub.Close(); p.storage.Close() })
	for _, name := range []string{"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_IMPLICIT_TOKEN"} {
		t.Setenv(name, "")
	}
	t.Setenv("HF_HOME", t.TempDir())
	t.Setenv("HF_ENDPOINT", p.hub.URL+"/")
	return p
}

var net = File{Repo: "timm/net.a1", Name: "model.safetensors"}

// The layout is huggingface_hub's: blobs by ETag, snapshots of relative links, refs.
func TestGet(t *testing.T) {
	p := newPlay(t)
	p.token = "secret"
	os.WriteFile(filepath.Join(os.Getenv("HF_HOME"), "token"), []byte("secret\n"), 0o600)
	s := FromEnv()
	got, err := s.Get(context.Background(), net, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(p.body)
	hex := hex.EncodeToString(sum[:])
	folder := filepath.Join(os.Getenv("HF_HOME"), "hub", "models--timm--net.a1")
	if got.Path != filepath.Join(folder, "snapshots", commit, "model.safetensors") || got.Commit != commit || got.SHA256 != hex || got.Stored || p.gets != 2 {
		t.Errorf("%+v after %d downloads", got, p.gets)
	}
	if data, err := os.ReadFile(got.Path); err != nil || !bytes.Equal(data, p.body) {
		t.Errorf("the file differs (%v)", err)
	}
	if to, err := os.Readlink(got.Path); err != nil || to != filepath.Join("..", "..", "blobs", hex) {
		t.Errorf("the link leads to %q (%v)", to, err)
	}
	if text, err := os.ReadFile(filepath.Join(folder, "refs", "main")); err != nil || string(text) != commit {
		t.Errorf("main is %q (%v)", text, err)
	}
	for _, dir := range []string{"blobs", "snapshots/" + commit, "refs"} {
		if left, err := os.ReadDir(filepath.Join(folder, dir)); err != nil || len(left) != 1 {
			t.Errorf("%s holds %v (%v)", dir, left, err)
		}
	}
	// By branch it asks what the branch is now and transfers nothing; by commit, and
	// offline, it does not ask.
	for _, c := range []struct {
		f       File
		offline bool
		asks    int
	}{{net, false, 1}, {File{net.Repo, commit, net.Name}, false, 0}, {net, true, 0}, {File{net.Repo, "v1", net.Name}, false, 1}} {
		p.asked = nil
		s.Offline = c.offline
		if got, err := s.Get(context.Background(), c.f, hex[:8], nil); err != nil || !got.Stored || got.SHA256 != hex || len(p.asked) != c.asks {
			t.Errorf("%v: %+v, %v; asked %v", c, got, err, p.asked)
		}
	}
	if p.gets != 2 {
		t.Errorf("%d downloads", p.gets)
	}
	s.Offline = false
	if got, err := s.Get(context.Background(), File{"old/net.a1", "", net.Name}, "", nil); err != nil || got.Commit != commit {
		t.Errorf("a renamed repository: %+v, %v", got, err)
	}
}

func TestRefused(t *testing.T) {
	p := newPlay(t)
	s := FromEnv()
	for name, c := range map[string]struct {
		f      File
		sum    string
		status int
		want   string
	}{
		"missing":      {File{"timm/other", "", net.Name}, "", 0, "no such repository, revision or file"},
		"gated":        {net, "", 403, "set HF_TOKEN"},
		"unknown user": {net, "", 401, "set HF_TOKEN"},
		"busy":         {net, "", 429, "wait a while"},
		"ill":          {net, "", 500, "500"},
		"another sum":  {net, "00000000", 0, "wrong checksum: the hub states"},
		"upwards":      {File{"timm/net.a1", "", "../x"}, "", 0, "a path inside the repository"},
		"odd repo":     {File{"timm/../x", "", "x"}, "", 0, "expected OWNER/NAME"},
		"odd revision": {File{"timm/net.a1", "a/../../b", "x"}, "", 0, "expected OWNER/NAME"},
	} {
		p.status = c.status
		_, err := s.Get(context.Background(), c.f, c.sum, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, expected %q", name, err, c.want)
		}
	}
	p.status = 0
	if p.gets != 0 {
		t.Errorf("%d downloads", p.gets)
	}
	s.Offline = true
	if _, err := s.Get(context.Background(), net, "", nil); err == nil || !strings.Contains(err.Error(), "HF_HUB_OFFLINE") {
		t.Errorf("offline gives %v", err)
	}
	// A server that is no hub.
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-Repo-Commit", "../..") }))
	defer plain.Close()
	s = Settings{Endpoint: plain.URL, Cache: t.TempDir()}
	if _, err := s.Get(context.Background(), net, "", nil); err == nil || !strings.Contains(err.Error(), "no Hugging Face hub") {
		t.Errorf("got %v", err)
	}
	// The file is checked against what the hub stated.
	p.body = append([]byte("x"), p.body[1:]...)
	p.gets = 1
	s = FromEnv()
	_, err := s.Get(context.Background(), net, "", nil)
	if err == nil || !strings.Contains(err.Error(), "a wrong checksum") {
		t.Errorf("a changed file gives %v", err)
	}
	if left, _ := os.ReadDir(filepath.Join(s.Cache, "models--timm--net.a1", "blobs")); len(left) != 0 {
		t.Errorf("it left %v", left)
	}
}
