package plugins

import (
	"io"
	"os/exec"
	"testing"
	"time"
)

// While a command runs the packages that it compiles are counted; its error has the other lines.
func TestCompiling(t *testing.T) {
	b := &Builder{}
	if s := b.Compiling(); s != "" {
		t.Errorf("without a command: %q", s)
	}
	cmd := exec.Command("sh", "-c", "printf 'errors\ninternal/abi\n# a/b\nb.go:1:2: undefined: x\n' >&2; cat; exit 1")
	r, w := io.Pipe()
	cmd.Stdin = r
	failed := make(chan error)
	go func() {
		_, err := b.output(cmd)
		failed <- err
	}()
	const want = "compiling packages that the session needs (once): 2, now internal/abi"
	for b.Compiling() != want {
		select {
		case err := <-failed:
			t.Fatalf("the command has ended: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	w.Close()
	if err := <-failed; err == nil || err.Error() != "# a/b\nb.go:1:2: undefined: x" {
		t.Errorf("error %v", err)
	}
	if s := b.Compiling(); s != "" {
		t.Errorf("after the command: %q", s)
	}
}
