package backend

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/ensemble-metamers/metamers/metamerkit/filecache"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// CompiledVar says how many bytes of compiled programs are kept for later processes, such as
// 4GB, or off. Without it DefaultCompiled are kept of XLA's CPU plugin, and none of others.
const CompiledVar = "METAMERS_COMPILED"

// DefaultCompiled is a thousand programs and more.
const DefaultCompiled = 1 << 30

// Compiled returns the folder with the compiled programs of a kind of backend. Nothing is kept
// where XLA is told to dump what it compiles.
func Compiled(k Kind) (filecache.Cache, error) {
	if strings.Contains(os.Getenv("XLA_FLAGS"), "xla_dump") {
		return filecache.Cache{}, nil
	}
	c := filecache.Cache{Dir: filepath.Join(paths.Cache(), "compiled"), Most: DefaultCompiled}
	switch v := os.Getenv(CompiledVar); v {
	case "":
		if k != XLA {
			return filecache.Cache{}, nil
		}
	case "off":
		return filecache.Cache{}, nil
	default:
		most, err := humanize.ParseBytes(v)
		if err != nil || most == 0 || most > 1<<50 {
			return filecache.Cache{}, fmt.Errorf("backend: %s is %q, expected off or a size such as 4GB", CompiledVar, v)
		}
		c.Most = int64(most)
	}
	return c, nil
}
