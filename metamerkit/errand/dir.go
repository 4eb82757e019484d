package errand

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// Dir returns the folder of the engine for a backend (see backend.Kind): its sockets,
// lock and log. Only its user can open it. It lies in METAMERS_ENGINE_DIR, by default
// in the cache folder or, where the path would be too long for a socket, in the user's
// folder for such things.
func Dir(backend string) (string, error) {
	root := os.Getenv("METAMERS_ENGINE_DIR")
	if root == "" {
		root = filepath.Join(paths.Cache(), "engine")
	}
	dir := filepath.Join(root, backend)
	if len(filepath.Join(dir, "socket")) > maxSocketPath {
		sum := sha256.Sum256([]byte(dir))
		base := os.Getenv("XDG_RUNTIME_DIR")
		if base == "" {
			base = "/tmp/metamers-" + strconv.Itoa(os.Getuid()) // not TMPDIR, which a kernel sets for its cells
		}
		dir = filepath.Join(base, "engine-"+hex.EncodeToString(sum[:6]))
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("errand: %w", err)
	}
	return dir, Private(dir)
}

// maxSocketPath is a little less than Linux and macOS take.
const maxSocketPath = 100

// Private makes sure that nobody but the user can open dir: it may have been made
// by somebody else, in a folder for all.
func Private(dir string) error {
	st, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("errand: %w", err)
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok || !st.IsDir() || int(sys.Uid) != os.Getuid() {
		return fmt.Errorf("errand: the folder %s is not this user's own", dir)
	}
	if st.Mode().Perm()&0o077 != 0 {
		if err := os.Chmod(dir, 0o700); err != nil {
			return fmt.Errorf("errand: %w", err)
		}
	}
	return nil
}

// Program is the path of the command metamers: of the one named, else of that in
// METAMERS_PROGRAM, else of the one on PATH.
func Program(name string) (string, error) {
	name = cmp.Or(name, os.Getenv("METAMERS_PROGRAM"), "metamers")
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("the program metamers, which holds the engine, is not here: build it (make build) and put it on PATH, or name it in METAMERS_PROGRAM: %w", err)
	}
	return path, nil
}

// Backend is the one that the environment asks for (METAMERS_BACKEND), else auto.
func Backend() string {
	return cmp.Or(os.Getenv("METAMERS_BACKEND"), "auto")
}

// Here returns the folder of the process on this machine that does errands: of the
// engine itself, or, where METAMERS_ENGINE names one elsewhere, of the process that
// passes on what is asked of that.
func Here() (string, error) {
	address := os.Getenv("METAMERS_ENGINE")
	if address == "" {
		return Dir(Backend())
	}
	sum := sha256.Sum256([]byte(address + " " + os.Getenv("METAMERS_ENGINE_TOKEN")))
	return Dir("relay-" + hex.EncodeToString(sum[:6]))
}

// Socket is where the desk in a folder of Dir listens.
func Socket(dir string) string { return filepath.Join(dir, "desk") }
