package api

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// Dir returns the folder of the engine for a backend (see backend.Kind), which it creates. It
// contains the engine's socket, lock and log, and only its user can open it. It is in
// METAMERS_ENGINE_DIR, by default in the cache folder, or, if the path would be too long for a
// socket, in XDG_RUNTIME_DIR or /tmp. The error says which folder cannot be created or belongs
// to another user.
func Dir(backend string) (string, error) {
	root := os.Getenv("METAMERS_ENGINE_DIR")
	if root == "" {
		root = filepath.Join(paths.Cache(), "engine")
	}
	dir := filepath.Join(root, strings.ReplaceAll(backend, "/", "_"))
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

// maxSocketPath is the longest path of a socket in bytes, a little less than the limits of
// Linux and macOS.
const maxSocketPath = 100

// RunsAlready returns the message of an engine whose folder is used by another engine.
func RunsAlready(dir string) string { return "an engine runs in " + dir + " already" }

// Private ensures that only the user can open the folder dir: it removes the permissions of
// others, and returns an error if dir is no folder or belongs to another user, who may have
// created it in a shared folder.
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

// Socket returns the path of the socket in a folder of Dir.
func Socket(dir string) string { return filepath.Join(dir, "socket") }

// Address returns the address "unix:PATH" of the socket in a folder of Dir.
func Address(dir string) string { return "unix:" + Socket(dir) }
