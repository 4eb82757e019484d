package weightfiles

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
)

// publisher serves files at /f, and as a hub with one file whose content changes
// with each commit.
type publisher struct {
	*httptest.Server
	body   string
	commit string
}

func publish(t *testing.T) *publisher {
	p := &publisher{body: "first weights", commit: strings.Repeat("a", 40)}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Repo-Commit", p.commit)
		w.Header().Set("ETag", `"`+sum(t, p.body)+`"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader([]byte(p.body)))
	}))
	t.Cleanup(p.Close)
	t.Setenv("METAMERS_CACHE", t.TempDir())
	t.Setenv("METAMERS_DATA", t.TempDir())
	t.Setenv("HF_HOME", t.TempDir())
	t.Setenv("HF_ENDPOINT", p.URL)
	for _, name := range []string{"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"} {
		t.Setenv(name, "")
	}
	return p
}

func sum(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := weights.Sum(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What is pulled without a known sum is pinned, found, and held to.
func TestPullPins(t *testing.T) {
	for _, kind := range []string{"hub", "url"} {
		t.Run(kind, func(t *testing.T) {
			p := publish(t)
			c := &card.Card{Name: "net", Weights: card.Weights{File: "model.safetensors", Source: "somewhere"}}
			if kind == "hub" {
				c.Weights.Hub = "timm/net"
			} else {
				c.Weights.URL = p.URL + "/f"
			}
			var missing *MissingError
			if _, err := Locate(c); !errors.As(err, &missing) || !strings.Contains(err.Error(), "metamers models pull net") {
				t.Fatalf("before: %v", err)
			}
			first, err := Pull(context.Background(), c, Options{})
			if err != nil || first.SHA256 != sum(t, "first weights") || first.Stored {
				t.Fatalf("%+v, %v", first, err)
			}
			f, err := Locate(c)
			if err != nil || f != (Found{first.Path, first.SHA256, "lock"}) {
				t.Errorf("%+v, %v", f, err)
			}
			if again, err := Pull(context.Background(), c, Options{}); err != nil || !again.Stored || again.Pin != first.Pin {
				t.Errorf("%+v, %v", again, err)
			}
			// Another file is published under the same name.
			p.body, p.commit = "second weights", strings.Repeat("b", 40)
			if err := os.RemoveAll(filepath.Join(os.Getenv("HF_HOME"), "hub")); err != nil {
				t.Fatal(err)
			}
			os.Remove(first.Path)
			_, err = Pull(context.Background(), c, Options{})
			if kind == "url" && (err == nil || !strings.Contains(err.Error(), "a wrong checksum") || !strings.Contains(err.Error(), "--again")) {
				t.Errorf("another file: %v", err)
			}
			if kind == "hub" && (err == nil || !strings.Contains(err.Error(), "the hub answered with the commit "+p.commit)) {
				t.Errorf("another commit: %v", err)
			}
			second, err := Pull(context.Background(), c, Options{Again: true})
			if err != nil || second.SHA256 != sum(t, "second weights") {
				t.Fatalf("%+v, %v", second, err)
			}
			if f, err := Locate(c); err != nil || f.Want != second.SHA256 {
				t.Errorf("%+v, %v", f, err)
			}
		})
	}
}

// A card's own sum counts; where the hub has another file than the card's, its sum
// is the lock's and the card's is that of the file in the data folders.
func TestSumsOfCards(t *testing.T) {
	p := publish(t)
	mine := sum(t, "mine")
	c := &card.Card{Name: "net", Weights: card.Weights{File: "net.safetensors", SHA256: mine, Hub: "timm/net"}}
	if _, err := Pull(context.Background(), c, Options{}); err == nil || !strings.Contains(err.Error(), "wrong checksum") {
		t.Errorf("another file than the card's was pulled: %v", err)
	}
	c.Weights.HubFile = "model.safetensors"
	got, err := Pull(context.Background(), c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if f, err := Locate(c); err != nil || f != (Found{got.Path, sum(t, p.body), "lock"}) {
		t.Errorf("%+v, %v", f, err)
	}
	dir := filepath.Join(os.Getenv("METAMERS_DATA"), "weights")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "net.safetensors")
	if err := os.WriteFile(path, []byte("mine"), 0o666); err != nil {
		t.Fatal(err)
	}
	if f, err := Locate(c); err != nil || f != (Found{path, mine, "card"}) {
		t.Errorf("%+v, %v", f, err)
	}
	// First digits on the card are held to the whole of what was pulled.
	c = &card.Card{Name: "prefix", Weights: card.Weights{File: "p.pth", SHA256: sum(t, p.body)[:8], URL: p.URL + "/f"}}
	if _, err := Pull(context.Background(), c, Options{}); err != nil {
		t.Fatal(err)
	}
	if f, err := Locate(c); err != nil || len(f.Want) != 64 || f.From != "lock" {
		t.Errorf("%+v, %v", f, err)
	}
	// Names that say nothing are looked for in the model's own folder only.
	if err := os.WriteFile(filepath.Join(dir, "model.safetensors"), []byte("whose"), 0o666); err != nil {
		t.Fatal(err)
	}
	c = &card.Card{Name: "other", Weights: card.Weights{File: "model.safetensors", Hub: "timm/other"}}
	if f, err := Locate(c); err == nil {
		t.Errorf("found %+v", f)
	}
	for _, c := range []*card.Card{{Name: "x", Weights: card.Weights{File: "x.pth", Source: "a page"}}, {Name: "x", Weights: card.Weights{File: "x.pth", Path: "/none"}}} {
		if _, err := Pull(context.Background(), c, Options{}); err == nil {
			t.Error("something was pulled from nowhere")
		}
	}
}

func TestLockFile(t *testing.T) {
	t.Setenv("METAMERS_CACHE", t.TempDir())
	good := `{"version":1,"models":{"a":{"file":"f","sha256":"` + strings.Repeat("0", 64) + `","size":1}}}`
	for text, want := range map[string]string{
		good:                                      "",
		`{"version":1,"models":null}`:             "",
		`{"version":2,"models":{}}`:               "version 2, expected 1",
		`{"version":1,"models":{}} x`:             "text after",
		`{"version":1,"models":{},"more":1}`:      "unknown field",
		`{"version":1,"models":{"a":{}}}`:         `the pin of "a"`,
		strings.Replace(good, `:1}}`, `:-1}}`, 1): `the pin of "a"`,
		strings.Replace(good, "000", "xyz", 1):    `the pin of "a"`,
		`{`:                                       "unexpected EOF",
	} {
		if err := os.WriteFile(LockPath(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Pins()
		if (err != nil) != (want != "") || err != nil && (!strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), LockPath())) {
			t.Errorf("%s: %v, expected %q", text, err, want)
		}
	}
	if err := os.WriteFile(LockPath(), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Locate(&card.Card{Name: "a", Weights: card.Weights{File: "a.pth"}}); err == nil || !strings.Contains(err.Error(), "models.lock.json") {
		t.Errorf("a damaged lock: %v", err)
	}
}

// FuzzLock: whatever the lock holds, it is refused or every pin is whole.
func FuzzLock(f *testing.F) {
	f.Add([]byte(`{"version":1,"models":{"a":{"file":"f","sha256":"` + strings.Repeat("0", 64) + `","size":1,"revision":"` + strings.Repeat("0", 40) + `"}}}`))
	f.Add([]byte(`{"version":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		pins, err := parseLock(data)
		if err == nil {
			for name, p := range pins {
				if name == "" || p.File == "" || len(p.SHA256) != 64 || p.Size < 1 {
					t.Errorf("%q: %+v", name, p)
				}
			}
		}
	})
}
