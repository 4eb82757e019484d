package paths

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func content(t *testing.T, path string) string {
	t.Helper()
	data, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := WriteBytes(at("new"), []byte("1")); err != nil || content(t, at("new")) != "1" {
		t.Error(err)
	}
	if err := WriteFile(at("new"), func(f *os.File) error {
		f.WriteString("half")
		return fmt.Errorf("no more")
	}); err == nil || content(t, at("new")) != "1" {
		t.Errorf("%v: the file was touched", err)
	}
	if err := WriteBytes(dir, []byte("1")); err == nil || !strings.Contains(err.Error(), "folder") {
		t.Errorf("a folder: %v", err)
	}
	for path, good := range map[string]bool{at("new"): true, at("newer"): true, dir: false, at("no/x"): false, os.DevNull: true} {
		if err := CheckFile(path); (err == nil) != good {
			t.Errorf("CheckFile(%s): %v", path, err)
		}
	}
	if err := CheckFile("-"); err == nil {
		t.Error("- is taken for a file")
	}
	loop := filepath.Join(t.TempDir(), "loop")
	if err := os.Symlink("loop", loop); err != nil {
		t.Fatal(err)
	}
	if err := CheckFile(loop); err == nil || !strings.Contains(err.Error(), "writing "+loop+": too many symbolic links") {
		t.Errorf("a link to itself: %v", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%v left behind: %v", entries, err)
	}
}

// Links stay and what they point to is replaced, in its own folder.
func TestWriteThroughLinks(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(dir, "other")
	if err := os.Mkdir(other, 0o777); err != nil {
		t.Fatal(err)
	}
	real := filepath.Join(other, "real")
	for _, c := range []struct{ link, to string }{{"absolute", real}, {"relative", "other/real"}, {"twice", "absolute"}, {"dangling", "other/real"}, {"far", "dangling"}} {
		link := filepath.Join(dir, c.link)
		if err := os.Symlink(c.to, link); err != nil {
			t.Fatal(err)
		}
		if c.link == "dangling" {
			if err := os.Remove(real); err != nil {
				t.Fatal(err)
			}
		}
		if err := WriteBytes(link, []byte(c.link)); err != nil {
			t.Fatal(err)
		}
		info, err := os.Lstat(link)
		if err != nil || info.Mode()&os.ModeSymlink == 0 || content(t, real) != c.link {
			t.Errorf("%s: %v %v, the file holds %q", c.link, info.Mode(), err, content(t, real))
		}
	}
	if err := os.Symlink("loop", filepath.Join(dir, "loop")); err != nil {
		t.Fatal(err)
	}
	if err := WriteBytes(filepath.Join(dir, "loop"), nil); err == nil {
		t.Error("a link to itself is accepted")
	}
}

// Devices, FIFOs and sockets stay what they are.
func TestWriteToDevices(t *testing.T) {
	dir := t.TempDir()
	fifo, socket := filepath.Join(dir, "fifo"), filepath.Join(dir, "socket")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	read := make(chan string)
	go func() {
		f, err := os.Open(fifo)
		if err != nil {
			read <- err.Error()
			return
		}
		defer f.Close()
		data, _ := io.ReadAll(f)
		read <- string(data)
	}()
	if err := WriteBytes(fifo, []byte("through")); err != nil {
		t.Error(err)
	}
	if got := <-read; got != "through" {
		t.Errorf("the FIFO's reader got %q", got)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := WriteBytes(socket, nil); err == nil || !strings.Contains(err.Error(), "socket") {
		t.Errorf("a socket: %v", err)
	}
	if err := WriteBytes(os.DevNull, []byte("gone")); err != nil {
		t.Error(err)
	}
	full := "/dev/full"
	if _, err := os.Stat(full); err == nil {
		if err := WriteBytes(full, []byte("x")); err == nil {
			t.Error("/dev/full takes a byte")
		}
	}
	for path, want := range map[string]string{fifo: "FIFO", socket: "socket", os.DevNull: "device"} {
		info, err := os.Stat(path)
		if err != nil || Kind(info.Mode()) != want {
			t.Errorf("%s became %v, %v", path, info, err)
		}
		if _, err := ReadFile(path); err == nil || !strings.Contains(err.Error(), path+" is a "+want) {
			t.Errorf("reading %s: %v", path, err)
		}
	}
}

// A file that comes and goes meanwhile, as in a folder that several processes tidy, is no
// hindrance to writing it.
func TestWriteWhileItGoes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-end:
				return
			default:
				_ = os.WriteFile(path, nil, 0o666)
				_ = os.Remove(path) // the other may have replaced it
			}
		}
	}()
	for range 300 {
		if err := WriteBytes(path, []byte("x")); err != nil {
			t.Error(err)
			break
		}
	}
	close(end)
	<-ended
}
