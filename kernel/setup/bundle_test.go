package setup

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ulikunitz/xz"
)

// Files come out of the archive as they were, packed ones too, and nothing outside the
// folder.
func TestUnpackFile(t *testing.T) {
	var packed, archive bytes.Buffer
	x, err := xz.NewWriter(&packed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.Write([]byte("a tool")); err != nil {
		t.Fatal(err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(&archive)
	for _, f := range []struct {
		name string
		mode os.FileMode
		data []byte
	}{{"sources/go.mod", 0o644, []byte("module m")}, {"tools/gonb.xz", 0o755, packed.Bytes()}, {"../outside", 0o644, nil}} {
		h := &zip.FileHeader{Name: f.name}
		h.SetMode(f.mode)
		w, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(archive.Bytes()), int64(archive.Len()))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "in")
	for _, f := range r.File[:2] {
		if err := unpackFile(f, dir); err != nil {
			t.Fatal(err)
		}
	}
	if err := unpackFile(r.File[2], dir); err == nil || !strings.Contains(err.Error(), "../outside") {
		t.Errorf("a file outside: %v", err)
	}
	for name, want := range map[string]string{"sources/go.mod": "module m", "tools/gonb": "a tool"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "tools/gonb")); err != nil || info.Mode().Perm()&0o100 == 0 {
		t.Errorf("the tool is no program: %v, %v", info, err)
	}
}
