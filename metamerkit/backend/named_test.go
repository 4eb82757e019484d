package backend

import (
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// A plugin that the user names computes, by either way to name it, and says which file it is.
func TestNamed(t *testing.T) {
	path := pluginHere(t)
	t.Setenv(PluginVar, path)
	for _, want := range []Kind{Auto, Named + ":" + Kind(path)} {
		b, err := Open(want)
		if err != nil {
			t.Fatal(err)
		}
		got := MustExecOnce(b.Compute, func(x *Node) *Node { return MulScalar(x, 2) }, float32(21))
		if v := tensors.ToScalar[float32](got); v != 42 || b.Kind != Named || b.Plugin != path || !strings.HasPrefix(b.Version, "pjrt_c_api_cpu_plugin.so@") {
			t.Errorf("%s: %v of kind %s, plugin %s, version %s", want, v, b.Kind, b.Plugin, b.Version)
		}
		b.Compute.Finalize()
	}
	t.Setenv(PluginVar, "/none/plugin.so")
	if _, err := Open(""); err == nil || !strings.Contains(err.Error(), "/none/plugin.so cannot be read") {
		t.Errorf("a plugin that is not there: %v", err)
	}
	for want, text := range map[Kind]string{"plugin:": "names no file", "gpu": "unknown backend"} {
		if err := Check(want); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v, expected %q", want, err, text)
		}
	}
}
