package api

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// Dir returns the folder of the engine for a backend (see backend.Kind): its socket,
// lock and log. Only its user can open it. It lies in METAMERS_ENGINE_DIR, by default
// in the cache folder or, where the path would be too long for a socket, in the user's
// folder for such things.
func Dir(backend string) (string, error) {
	root := os.Getenv("METAMERS_ENGINE_DIR")
	if root == "" {
		root = filepath.Join(paths.Cache(), "engine")
	}
	dir := filepath.Join(root, backend)
	if len(Socket(dir)) > maxSocketPath {
		sum := sha256.Sum256([]byte(dir))
		base := os.Getenv("XDG_RUNTIME_DIR")
		if base == "" {
			base = "/tmp/metamers-" + strconv.Itoa(os.Getuid()) // not TMPDIR, which a kernel sets for its cells
		}
		dir = filepath.Join(base, "engine-"+hex.EncodeToString(sum[:6]))
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("api: %w", err)
	}
	return dir, Private(dir)
}

// maxSocketPath is a little less than Linux and macOS take.
const maxSocketPath = 100

// RunsAlready is what an engine says that finds another one in its folder.
func RunsAlready(dir string) string { return "an engine runs in " + dir + " already" }

// Private makes sure that nobody but the user can open dir: it may have been made
// by somebody else, in a folder for all.
func Private(dir string) error {
	st, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("api: %w", err)
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok || !st.IsDir() || int(sys.Uid) != os.Getuid() {
		return fmt.Errorf("api: the folder %s is not this user's own", dir)
	}
	if st.Mode().Perm()&0o077 != 0 {
		if err := os.Chmod(dir, 0o700); err != nil {
			return fmt.Errorf("api: %w", err)
		}
	}
	return nil
}

// Socket is where the server in a folder of Dir listens.
func Socket(dir string) string { return filepath.Join(dir, "socket") }

// Address is that of the server in a folder of Dir.
func Address(dir string) string { return "unix:" + Socket(dir) }
