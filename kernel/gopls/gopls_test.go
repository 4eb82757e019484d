package gopls

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/textproto"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
)

const served = "GOPLS_TEST_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(served) != "" {
		serve(bufio.NewReader(os.Stdin))
		return
	}
	os.Exit(m.Run())
}

// serve is a language server that answers a hover with the whole text of the file.
func serve(r *bufio.Reader) {
	text := ""
	for {
		head, err := textproto.NewReader(r).ReadMIMEHeader()
		if err != nil {
			return
		}
		n, err := strconv.Atoi(head.Get("Content-Length"))
		if err != nil {
			return
		}
		data := make([]byte, n)
		if _, err := io.ReadFull(r, data); err != nil {
			return
		}
		var m struct {
			ID     *int
			Method string
			Params struct {
				TextDocument   struct{ Text string }
				ContentChanges []struct{ Text string }
			}
		}
		if err := json.Unmarshal(data, &m); err != nil {
			return
		}
		switch m.Method {
		case "textDocument/didOpen":
			text = m.Params.TextDocument.Text
		case "textDocument/didChange":
			text = m.Params.ContentChanges[0].Text
		}
		if m.ID != nil {
			answer, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": *m.ID, "result": map[string]any{"contents": map[string]string{"value": text}}})
			if err != nil {
				return
			}
			fmt.Printf("Content-Length: %d\r\n\r\n%s", len(answer), answer)
		}
	}
}

// Each question is about its own text, also when several are asked at once.
func TestOwnText(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), served+"=1")
	s, err := Start(cmd, t.TempDir(), (*exec.Cmd).Start)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.w.Close() })
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 1000 {
				text := fmt.Sprintf("text %d of %d", j, i)
				if got, err := s.Hover(context.Background(), text, 3); got != text || err != nil {
					t.Errorf("asked about %q: %q, %v", text, got, err)
					return
				}
			}
		})
	}
	all.Wait()
}

// A server that ends with the thread that started it outlives other goroutines' threads.
func TestThreads(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), served+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var s *Server
	begun := make(chan error)
	go func() {
		var err error
		s, err = Start(cmd, t.TempDir(), (*exec.Cmd).Start)
		runtime.LockOSThread() // this goroutine's thread ends with it
		begun <- err
	}()
	if err := <-begun; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.w.Close() })
	for i := range 100 {
		done := make(chan bool)
		go func() { runtime.LockOSThread(); close(done) }()
		<-done
		if got, err := s.Hover(context.Background(), "text", 1); got != "text" || err != nil {
			t.Fatalf("after %d threads: %q, %v", i, got, err)
		}
	}
}
