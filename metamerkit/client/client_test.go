package client

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
)

// Why an engine does not start is said once, in the words of the command.
func TestStartFails(t *testing.T) {
	program := filepath.Join(t.TempDir(), "metamers")
	for script, want := range map[string][2]string{
		"echo one >&2; echo 'metamers: client: no' >&2; echo log >&2; exit 1": {"one\n", "client: no\nlog"},
		"printf 'one\\nmetamers: no\\n' >&2; exit 1":                          {"one\n", "no"},
		"echo odd >&2; exit 3": {"odd\n", "client: starting the engine: exit status 3"},
	} {
		if err := os.WriteFile(program, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		t.Setenv("METAMERS_ENGINE", "")
		t.Setenv("METAMERS_BACKEND", "")
		t.Setenv("METAMERS_ENGINE_DIR", t.TempDir())
		var said bytes.Buffer
		c := &Client{Program: program, Say: func(text string) { fmt.Fprintln(&said, text) }}
		_, err := c.Do(context.Background(), api.Request{Models: &api.Models{}}, func(api.Event) {})
		if err == nil || err.Error() != want[1] || said.String() != want[0] {
			t.Errorf("%s: %q, error %q", script, said.String(), err)
		}
	}
}
