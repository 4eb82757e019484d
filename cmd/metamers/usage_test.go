package main

import (
	"io"
	"strings"
	"syscall"
	"testing"
)

// A mistake in flags or arguments is told in one line, with the nearest names and the command
// that lists what is expected.
func TestUsage(t *testing.T) {
	for line, want := range map[string][]string{
		"synth --stpes 3":                         {`unknown flag --stpes`, `"--steps"`, "(see: metamers synth --help)"},
		"synht":                                   {`unexpected argument synht`, `"synth"`, "(see: metamers --help)"},
		"models shwo":                             {`unexpected argument shwo`, "(see: metamers models"},
		"synth --stage late --images photos:1":    {"missing flags: --models=MODELS,...", "(see: metamers synth --help)"},
		"runs show":                               {`expected "<id>"`, "(see: metamers runs show --help)"},
		"reproduce --steps 0":                     {"--steps is 0", "(see: metamers reproduce --help)"},
		"activations --filter nearest":            {"--filter must be one of", `"nearest"`, "(see: metamers activations --help)"},
		"synth --stage late --batch":              {"--batch", "(see: metamers synth --help)"},
		"classify photos:1 --models a --top many": {"--top", `"many"`, "(see: metamers classify --help)"},
	} {
		out, errs, status := try(t, strings.Fields(line)...)
		if status != usageStatus || out != "" || strings.Count(errs, "\n") != 1 || !strings.HasPrefix(errs, "metamers: ") {
			t.Errorf("%s: status %d, %q, expected one line and status %d", line, status, out+errs, usageStatus)
		}
		for _, w := range want {
			if !strings.Contains(errs, w) {
				t.Errorf("%s: %q does not say %q", line, errs, w)
			}
		}
	}
	if out, errs, status := try(t); status != 0 || !strings.Contains(out, "metamers demo") || strings.Count(out, "\n") > 20 {
		t.Errorf("no argument: status %d, %q, expected what to try first", status, out+errs)
	}
}

// The first SIGTERM or SIGINT ends a command that waits for a picture on standard input.
func TestSignalWhileReading(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		c := program(t, "--backend", "go", "measure", "-")
		in, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		stderr, err := c.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(in, strings.Repeat("x", 1<<20)); err != nil { // more than a pipe holds: it is being read
			t.Fatal(err)
		}
		if err := c.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		said, err := io.ReadAll(stderr)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(); err == nil || c.ProcessState.ExitCode() != 130 || !strings.Contains(string(said), "standard input") {
			t.Errorf("%v: %v: %s", s, err, said)
		}
		in.Close()
	}
}
