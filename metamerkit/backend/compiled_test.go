package backend

import (
	"path/filepath"
	"testing"
)

func TestCompiledSize(t *testing.T) {
	cache := bare(t)
	t.Setenv("XLA_FLAGS", "--xla_cpu_use_onednn=true")
	for _, c := range []struct {
		value string
		kind  Kind
		most  int64 // 0: nothing is kept
	}{{"", XLA, DefaultCompiled}, {"", CUDA, 0}, {"4GB", XLA, 4e9}, {"512 MiB", CUDA, 512 << 20}, {"off", XLA, 0}} {
		t.Setenv(CompiledVar, c.value)
		got, err := Compiled(c.kind)
		if err != nil || got.Most != c.most || (got.Dir != "") != (c.most > 0) {
			t.Errorf("%q, %s: %+v, %v", c.value, c.kind, got, err)
		}
		if c.most > 0 && got.Dir != filepath.Join(cache, "compiled") {
			t.Errorf("the folder is %s", got.Dir)
		}
	}
	for _, bad := range []string{"on", "0", "-1GB", "9e30GB"} {
		t.Setenv(CompiledVar, bad)
		if _, err := Compiled(XLA); err == nil {
			t.Errorf("%s=%s is no error", CompiledVar, bad)
		} else {
			mentions(t, err.Error(), CompiledVar, bad, "4GB")
		}
	}
	t.Setenv(CompiledVar, "")
	t.Setenv("XLA_FLAGS", "--xla_dump_to=/tmp/x")
	if got, err := Compiled(XLA); err != nil || got.Dir != "" {
		t.Errorf("where XLA dumps: %+v, %v", got, err)
	}
}
