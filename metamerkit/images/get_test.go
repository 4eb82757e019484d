package images

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tarball makes an archive of name, body pairs; a body "-> x" is a symbolic link.
func tarball(t *testing.T, entries ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for i := 0; i < len(entries); i += 2 {
		h := &tar.Header{Name: entries[i], Size: int64(len(entries[i+1])), Mode: 0o600, Typeflag: tar.TypeReg}
		if link, ok := strings.CutPrefix(entries[i+1], "-> "); ok {
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, link, 0
		}
		err := w.WriteHeader(h)
		if err == nil && h.Size > 0 {
			_, err = w.Write([]byte(entries[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if w.Close() != nil || z.Close() != nil {
		t.Fatal("closing the archive")
	}
	return b.Bytes()
}

// play serves an archive and returns a as if it were published there.
func play(t *testing.T, a Archive, archive []byte) (Archive, *int) {
	requests := new(int)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*requests++
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(archive))
	}))
	t.Cleanup(s.Close)
	t.Setenv("METAMERS_CACHE", t.TempDir())
	t.Setenv("METAMERS_DATA", "")
	sum := md5.Sum(archive)
	a.Request.URL, a.Request.MD5, a.Request.SHA256, a.Request.Size = s.URL+"/cifar-10-binary.tar.gz", hex.EncodeToString(sum[:]), "", int64(len(archive))
	return a, requests
}

func TestGetCIFAR10(t *testing.T) {
	entries := []string{"cifar-10-batches-bin/readme.html", "<html>", "cifar-10-batches-bin/batches.meta.txt", strings.Repeat("x", 61)}
	records := bytes.Repeat([]byte{3}, 10000*record)
	for name := range CIFAR10().Files {
		if strings.HasSuffix(name, ".bin") {
			entries = append(entries, "cifar-10-batches-bin/"+name, string(records))
		}
	}
	a, requests := play(t, CIFAR10(), tarball(t, entries...))
	for _, there := range []bool{false, true} {
		dir, was, err := a.Get(context.Background(), nil)
		if err != nil || was != there || *requests != 1 {
			t.Fatalf("%s, there %v, %d requests: %v", dir, was, *requests, err)
		}
	}
	s, err := Open([]string{"cifar10:train:49999-50000"}, Options{})
	if err != nil || s.Labels[0] != 3 {
		t.Fatalf("%v", err)
	}
	data := filepath.Join(os.Getenv("METAMERS_CACHE"), "data")
	left, err := os.ReadDir(data)
	if err != nil || len(left) != 2 { // the folder and the lock
		t.Errorf("the data folder holds %v (%v)", left, err)
	}
	if _, err := os.Stat(filepath.Join(data, "cifar-10-batches-bin", "readme.html")); err == nil {
		t.Error("a file that was not asked for was unpacked")
	}
	if err := os.Truncate(filepath.Join(data, "cifar-10-batches-bin", "test_batch.bin"), 5); err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.Get(context.Background(), nil); err == nil || !strings.Contains(err.Error(), "test_batch.bin has 5 bytes, expected 30730000") {
		t.Errorf("a damaged folder gave %v", err)
	}
}

func TestHostileArchives(t *testing.T) {
	small := Archive{Name: "small", Folder: "d", Files: map[string]int64{"a": 3}}
	for name, c := range map[string]struct {
		entries []string
		want    string
	}{
		"upwards":  {[]string{"d/a", "abc", "d/../../../a", "abc"}, "outside its folder"},
		"absolute": {[]string{"/tmp/a", "abc"}, "outside its folder"},
		"link":     {[]string{"d/a", "-> /etc/passwd"}, "no such file"},
		"size":     {[]string{"d/a", "abcd"}, "has 4 bytes, expected 3"},
		"missing":  {[]string{"e/a", "abc"}, "no such file"},
	} {
		a, _ := play(t, small, tarball(t, c.entries...))
		if _, _, err := a.Get(context.Background(), nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, expected %q", name, err, c.want)
		}
		if _, err := os.Stat(filepath.Join(os.Getenv("METAMERS_CACHE"), "data", "d")); err == nil {
			t.Errorf("%s: a folder is there", name)
		}
	}
	a, _ := play(t, small, tarball(t, "d/a", "abc")[:60])
	if _, _, err := a.Get(context.Background(), nil); err == nil {
		t.Error("a cut archive was unpacked")
	}
}
