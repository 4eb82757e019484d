package paths

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A program in the folder bin of an environment finds the packages beside it, through a
// link too.
func TestSite(t *testing.T) {
	if os.Getenv("SITE") != "" {
		for _, f := range Site("some", "plugin.so") {
			os.Stdout.WriteString(f)
		}
		os.Exit(0)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	program, link := filepath.Join(dir, "env", "bin", "program"), filepath.Join(dir, "link")
	plugin := filepath.Join(dir, "env", "lib", "python3.11", "site-packages", "some", "plugin.so")
	for _, f := range []string{program, plugin} {
		if err := os.MkdirAll(filepath.Dir(f), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, data, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, link); err != nil {
		t.Fatal(err)
	}
	found := func() string {
		cmd := exec.Command(link, "-test.run=^TestSite$")
		cmd.Env = append(os.Environ(), "SITE=1")
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	if got := found(); got != "" {
		t.Errorf("found %q before there was anything", got)
	}
	if err := os.WriteFile(plugin, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := found(); got != plugin {
		t.Errorf("found %q, want %q", got, plugin)
	}
}
