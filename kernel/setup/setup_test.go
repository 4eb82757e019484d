package setup

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A registration says how the kernel is started; taking it back leaves nothing, and
// nothing of others is touched.
func TestRegistration(t *testing.T) {
	prefix := t.TempDir()
	other := filepath.Join(prefix, "share", "jupyter", "kernels", "python3", "kernel.json")
	if err := os.MkdirAll(filepath.Dir(other), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(other, []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("METAMERS_DATA", "/some/data")
	target := Target{Prefix: prefix}
	dir, err := target.WriteSpec("/the/checkout", Layout{Kernel: "/the/kernel"})
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(prefix, "share", "jupyter", "kernels", Name, "kernel.json"))
	if err != nil {
		t.Fatal(err)
	}
	var spec struct {
		Argv []string
		Env  map[string]string
	}
	if err := json.Unmarshal(data, &spec); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(spec.Argv, " "); got != "/the/kernel run {connection_file}" || spec.Env["METAMERS_KERNEL_CHECKOUT"] != "/the/checkout" || spec.Env["METAMERS_DATA"] != "/some/data" {
		t.Errorf("%+v", spec)
	}
	u := Uninstall{Target: target}
	if err := u.Run(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", dir, err)
	}
	if _, err := os.Stat(other); err != nil {
		t.Error(err)
	}
	if err := u.Run(); err == nil || !strings.Contains(err.Error(), "not registered in "+dir) {
		t.Errorf("taken back twice: %v", err)
	}
}
