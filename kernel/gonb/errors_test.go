package gonb

import (
	"strings"
	"testing"
)

// The report of a stack that is too deep is short: each call once, nothing of the run-time
// or the kernel.
func TestDeepStack(t *testing.T) {
	in := &Interpreter{sources: map[string]source{"ab1": {3, "func deep(n int) int {\n\treturn deep(n+1) + 1\n}"}}}
	call := "cells/c0ff.deep(0x1)\n\tCell[ab1]:2 +0x1f fp=0x7f sp=0x6f pc=0x5f\n"
	text := "runtime: goroutine stack exceeds 1000000000-byte limit\nruntime: sp=0x36 stack=[0x36, 0x37]\nfatal error: stack overflow\n\n" +
		"runtime stack:\nruntime.throw({0x7f?, 0x36?})\n\truntime/panic.go:1229 +0x4a fp=0x7f\n\n" +
		"goroutine 7 gp=0x36 m=0 mp=0x37 [running]:\n" + strings.Repeat(call, 50) + "...13 frames elided...\n" + strings.Repeat(call, 50) +
		"main.run({{0x1}, 0x2})\n\tgithub.com/ensemble-metamers/metamers@v0.0.0/kernel/live/host/main.go:168 +0x1\n"
	f := in.panicFailure(text, "ffff")
	got := strings.Join(f.Traceback, "\n")
	want := strings.Join([]string{
		red("runtime: goroutine stack exceeds 1000000000-byte limit\nfatal error: stack overflow"),
		"cell [3], line 2, in deep:", "        return deep(n+1) + 1", "(and 49 more times)", "...",
		"cell [3], line 2, in deep:", "        return deep(n+1) + 1", "(and 49 more times)"}, "\n")
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
