package upstream

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// pastEnd loads the last three numbers of a page whose next page cannot be read.
const pastEnd = `package main

import (
	"fmt"
	"simd/archsimd"
	"syscall"
	"unsafe"
)

func main() {
	pages, err := syscall.Mmap(-1, 0, 8192, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	if err := syscall.Mprotect(pages[4096:], syscall.PROT_NONE); err != nil {
		panic(err)
	}
	numbers := unsafe.Slice((*float32)(unsafe.Pointer(&pages[0])), 1024)
	v, n := archsimd.LoadFloat32x8Part(numbers[1021:])
	fmt.Println("loaded", n, v.Add(v))
}
`

// TestPartialLoad: with GOEXPERIMENT=simd, loads of the last elements of a slice read a whole
// vector, and the memory past the end of the slice may not be there.
func TestPartialLoad(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("needs Linux on amd64")
	}
	if testing.Short() {
		t.Skip("compiles the standard library with GOEXPERIMENT=simd")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module behind\n\ngo 1.27\n", "main.go": pastEnd} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-o", "behind", ".")
	build.Dir, build.Env = dir, append(os.Environ(), "GOEXPERIMENT=simd", "GOFLAGS=-trimpath", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.Command(filepath.Join(dir, "behind")).CombinedOutput()
	switch {
	case err == nil && strings.HasPrefix(string(out), "loaded 3"):
		fixed(t, "safeVectors (metamerkit/backend/backend.go); then GOEXPERIMENT=simd can be set again in Makefile")
	case !strings.Contains(string(out), "unexpected fault address"):
		t.Errorf("changed upstream: %v: %s", err, out)
	}
}
