package remote

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/gofrs/flock"

	"github.com/ensemble-metamers/metamers/metamerkit/place"
)

// Dir returns the folder of the engine for a backend (see backend.Kind): its socket,
// lock and log. Only its user can open it. It lies in METAMERS_ENGINE_DIR, by default
// in the cache folder or, where the path would be too long for a socket, in the user's
// folder for such things.
func Dir(backend string) (string, error) {
	root := os.Getenv("METAMERS_ENGINE_DIR")
	if root == "" {
		root = filepath.Join(place.Cache(), "engine")
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
		return "", fmt.Errorf("remote: %w", err)
	}
	return dir, private(dir)
}

// maxSocketPath is a little less than Linux and macOS take.
const maxSocketPath = 100

// private makes sure that nobody but the user can open dir: it may have been made
// by somebody else, in a folder for all.
func private(dir string) error {
	st, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("remote: %w", err)
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok || !st.IsDir() || int(sys.Uid) != os.Getuid() {
		return fmt.Errorf("remote: the folder %s is not this user's own", dir)
	}
	if st.Mode().Perm()&0o077 != 0 {
		if err := os.Chmod(dir, 0o700); err != nil {
			return fmt.Errorf("remote: %w", err)
		}
	}
	return nil
}

// Address is that of the engine in a folder of Dir.
func Address(dir string) string { return "unix:" + filepath.Join(dir, "socket") }

// RunningError says that an engine has the folder already.
type RunningError struct{ Dir string }

func (e *RunningError) Error() string {
	return "remote: an engine runs in " + e.Dir + " already (metamers engine status)"
}

// Listen opens the socket in dir for this process alone. The release function
// removes it. A socket that a killed engine left is replaced: the lock says whether
// its owner lives.
func Listen(dir string) (l net.Listener, release func() error, err error) {
	lock := flock.New(filepath.Join(dir, "lock"))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, nil, fmt.Errorf("remote: %w", err)
	}
	if !ok {
		return nil, nil, &RunningError{dir}
	}
	path := filepath.Join(dir, "socket")
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, errors.Join(fmt.Errorf("remote: %w", err), lock.Unlock())
	}
	if l, err = net.Listen("unix", path); err == nil {
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("remote: %w", err), lock.Unlock())
	}
	return l, func() error {
		l.Close() // again, after the server has: only the file matters
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(err, lock.Unlock())
		}
		return lock.Unlock()
	}, nil
}

// ListenTCP opens a TCP listener for use through a tunnel, and makes the token that
// clients need. An address without a host is this machine's own (loopback).
func ListenTCP(address string) (l net.Listener, token string, err error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, "", fmt.Errorf("remote: listening at %q: %w (expected HOST:PORT or :PORT)", address, err)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	if l, err = net.Listen("tcp", net.JoinHostPort(host, port)); err != nil {
		return nil, "", fmt.Errorf("remote: %w", err)
	}
	return l, rand.Text(), nil
}

// resident is the memory of this process in bytes, 0 where that is not known.
func resident() uint64 {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(data))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseUint(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * uint64(os.Getpagesize())
}
