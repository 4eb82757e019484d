//go:build cgo

package upstream

import (
	"reflect"
	"strings"
	"testing"

	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/pjrt"
)

// TestNoSerialization: PJRT can write compiled executables and load them again
// (PJRT_Executable_Serialize, PJRT_Executable_DeserializeAndLoad); go-xla has no
// function that does.
func TestNoSerialization(t *testing.T) {
	for _, v := range []any{&xla.Backend{}, &xla.Executable{}, &pjrt.Plugin{}, &pjrt.Client{}, &pjrt.CompileConfig{}, &pjrt.Executable{}, &pjrt.LoadedExecutable{}} {
		k := reflect.TypeOf(v)
		if k.NumMethod() == 0 {
			t.Errorf("changed upstream: %v has no methods", k)
		}
		for i := range k.NumMethod() {
			if name := strings.ToLower(k.Method(i).Name); strings.Contains(name, "serializ") {
				t.Logf("%v.%s", k, k.Method(i).Name)
				fixed(t, "metamerkit/backend/keeper.go")
			}
		}
	}
}
