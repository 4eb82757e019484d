package upstream

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/go-huggingface/hub"
)

const ourHub = "metamerkit/hub and metamerkit/fetch"

// oldHub plays a Hugging Face hub for go-huggingface: one repository, whose file
// serve answers. It counts what is asked.
func oldHub(t *testing.T, serve http.HandlerFunc) (asked *[]string) {
	t.Helper()
	asked = &[]string{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.Method+" "+r.URL.Path)
		if strings.HasPrefix(r.URL.Path, "/api/") {
			json.NewEncoder(w).Encode(map[string]any{"sha": strings.Repeat("a", 40), "siblings": []map[string]string{{"rfilename": "f"}}})
			return
		}
		w.Header().Set("ETag", `"`+strings.Repeat("0", 64)+`"`)
		serve(w, r)
	}))
	t.Cleanup(s.Close)
	t.Setenv("HF_ENDPOINT", s.URL)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	return asked
}

// A connection that is cut in the middle of a file counts as success; the link in
// the snapshot leads to nothing.
func TestHubCutIsSuccess(t *testing.T) {
	oldHub(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		if r.Method == http.MethodGet {
			w.Write(make([]byte, 500))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
	})
	repo := hub.New("timm/net")
	repo.Verbosity = 0
	path, err := repo.DownloadFile("f")
	if err != nil {
		fixed(t, ourHub)
		return
	}
	if _, err := os.Stat(path); err == nil {
		fixed(t, ourHub)
	}
}

// The sum that the hub states of a file is not checked: here that of other bytes.
func TestHubSumUnchecked(t *testing.T) {
	oldHub(t, func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("bytes of another file")) })
	repo := hub.New("timm/net")
	repo.Verbosity = 0
	if path, err := repo.DownloadFile("f"); err != nil {
		fixed(t, ourHub)
	} else if data, err := os.ReadFile(path); err != nil || string(data) != "bytes of another file" {
		t.Errorf("changed upstream: %q, %v", data, err)
	}
}

// HF_HOME, HF_TOKEN and HF_HUB_OFFLINE are not looked at.
func TestHubEnvironment(t *testing.T) {
	asked := oldHub(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			fixed(t, ourHub)
		}
		w.Write([]byte("x"))
	})
	home := t.TempDir()
	t.Setenv("HF_HOME", home)
	t.Setenv("HF_TOKEN", "secret")
	t.Setenv("HF_HUB_OFFLINE", "1")
	repo := hub.New("timm/net")
	repo.Verbosity = 0
	path, err := repo.DownloadFile("f")
	if err != nil || strings.HasPrefix(path, filepath.Clean(home)) || len(*asked) == 0 {
		fixed(t, ourHub)
	}
}
