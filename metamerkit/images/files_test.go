package images

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func copyTo(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, from := range files {
		data, err := os.ReadFile(filepath.Join("testdata", from))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A folder's images are read whatever their format; dot files are passed over without
// a word, and other files are noted.
func TestFolder(t *testing.T) {
	dir := t.TempDir()
	copyTo(t, dir, map[string]string{"a.jpg": "fmt_turned6.jpg", "b.webp": "fmt_lossy.webp", "c.bmp": "fmt_plain.bmp", "d.TIFF": "fmt_plain.tif", "e.gif": "fmt_plain.gif", "f.png": "fmt_case_x_webp.jpg", "g.jpg": "fmt_turned8.jpg"})
	for _, name := range []string{"._a.jpg", ".DS_Store", "notes.txt", "more.txt", "README", LabelsFile} {
		text := "\x00\x05\x16\x07"
		if name == LabelsFile {
			text = "\ufefffile\tindex\na.jpg\t7\n"
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "folder.jpg"), 0o700); err != nil {
		t.Fatal(err)
	}
	set, err := Open([]string{dir}, Options{Size: 8})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(set.Names, []string{"a", "b", "c", "d", "e", "f", "g"}) || set.Labels[0] != 7 {
		t.Errorf("%v %v", set.Names, set.Labels)
	}
	want := []string{
		"images: " + dir + ": 3 files are no images and were left out (1 no ending, 2 .txt)",
		"images: 2 files were turned as their Exif orientation says, the first is " + filepath.Join(dir, "a.jpg"),
	}
	if !slices.Equal(set.Notes, want) {
		t.Errorf("notes %q, expected %q", set.Notes, want)
	}
	if n, err := Count([]string{dir}, Options{}); n != 7 || err != nil {
		t.Error(n, err)
	}
	if part, err := Open([]string{dir}, Options{Size: 8, Part: &[2]int{1, 3}}); err != nil || len(part.Notes) != 1 {
		t.Errorf("%+v %v", part, err)
	}
}

// A FIFO or a socket among the images is an error that names it, and nothing waits for
// a writer.
func TestNoFiles(t *testing.T) {
	dir := t.TempDir()
	fifo, socket := filepath.Join(dir, "x.png"), filepath.Join(dir, "y.png")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open([]string{dir}, Options{}); err == nil || !strings.Contains(err.Error(), fifo+" is a FIFO") {
		t.Error(err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := Open([]string{socket}, Options{}); err == nil || !strings.Contains(err.Error(), socket+" is a socket") {
		t.Error(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, LabelsFile), 0o600); err != nil {
		t.Fatal(err)
	}
	copyTo(t, dir, map[string]string{"a.jpg": "fmt_lossy.webp"})
	if _, err := Open([]string{filepath.Join(dir, "a.jpg")}, Options{}); err == nil || !strings.Contains(err.Error(), LabelsFile+" is a FIFO") {
		t.Error(err)
	}
}

// "-" is a picture at standard input, which is read once.
func TestStandardInput(t *testing.T) {
	if _, err := Open([]string{"-"}, Options{}); err == nil || !strings.Contains(err.Error(), "not available") {
		t.Error(err)
	}
	file := "testdata/fmt_lossy.webp"
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	Stdin = f
	defer func() { Stdin, standard = nil, sync.OnceValues(func() ([]byte, error) { return all(Stdin) }) }()
	want, err := Open([]string{file}, Options{Size: 8})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		got, err := Open([]string{"-"}, Options{Size: 8})
		if err != nil || got.Name != "standard input" || got.Names[0] != "standard input" || got.SHA256() != want.SHA256() {
			t.Errorf("%+v %v", got, err)
		}
	}
}
