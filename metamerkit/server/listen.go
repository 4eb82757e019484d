package server

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gofrs/flock"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
)

// RunningError says that an engine has the folder already.
type RunningError struct{ Dir string }

func (e *RunningError) Error() string {
	return "server: " + api.RunsAlready(e.Dir) + " (metamers engine status)"
}

// Listen opens the socket in dir (see api.Dir) for this process alone. The release function
// removes it. A socket that a killed engine left is replaced: the lock says whether
// its owner lives.
func Listen(dir string) (l net.Listener, release func() error, err error) {
	lock := flock.New(filepath.Join(dir, "lock"))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, nil, fmt.Errorf("server: %w", err)
	}
	if !ok {
		return nil, nil, &RunningError{dir}
	}
	path := api.Socket(dir)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, errors.Join(fmt.Errorf("server: %w", err), lock.Unlock())
	}
	if l, err = net.Listen("unix", path); err == nil {
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("server: %w", err), lock.Unlock())
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
		return nil, "", fmt.Errorf("server: listening at %q: %w (expected HOST:PORT or :PORT)", address, err)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	if l, err = net.Listen("tcp", net.JoinHostPort(host, port)); err != nil {
		return nil, "", fmt.Errorf("server: %w", err)
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
