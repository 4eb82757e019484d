//go:build cgo && linux

package backend

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// compiledFormat changes when what is kept, or what its key is made of, does.
const compiledFormat = 1

// readByXLA are the beginnings of names of environment variables that XLA, and the libraries
// that it compiles for, read.
var readByXLA = []string{"XLA_", "TF_", "NPROC", "NVIDIA_", "CUDA_", "CUDNN_", "CUBLAS_", "DNNL_", "ONEDNN_"}

// surroundings returns a function that describes what programs depend on besides themselves
// and their device: the plugin and the variables of the environment, as they are now.
func surroundings(k Kind, plugin string) func() ([]byte, error) {
	variables := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return !slices.ContainsFunc(readByXLA, func(begin string) bool { return strings.HasPrefix(v, begin) })
	})
	slices.Sort(variables)
	before, err := identity(plugin)
	return func() ([]byte, error) {
		if err != nil {
			return nil, err
		}
		sum, err := pluginSum(k, plugin, before)
		if err != nil {
			return nil, err
		}
		return json.Marshal([]any{compiledFormat, runtime.GOARCH, sum, variables})
	}
}

// settled is how old a change of the plugin must be for its checksum to be kept: changes
// shortly after each other can have the same time.
var settled = 5 * time.Second

// pluginSum returns the SHA-256 of the plugin, unless the file is no longer the one that was
// there before it was loaded. Hashing 200 MB takes a third of a second, so the sum is kept.
func pluginSum(k Kind, plugin string, before file) (string, error) {
	files, err := Compiled(k)
	if err != nil {
		return "", err
	}
	key := sha256.Sum256(fmt.Append(nil, "plugin ", before))
	if sum := files.Load(key); sum != nil {
		return string(sum), nil
	}
	old := time.Since(before.changed()) > settled
	sum, err := paths.Sum(plugin)
	if err != nil {
		return "", err
	}
	if after, err := identity(plugin); err != nil || after != before {
		return "", errors.Join(fmt.Errorf("%s was replaced after it was loaded", plugin), err)
	}
	if old {
		_ = files.Keep(key, []byte(sum))
	}
	return sum, nil
}

// file tells a file from itself after a change: writing changes its ctime, which no program
// can set.
type file struct {
	path         string
	dev, ino     uint64
	size         int64
	mtime, ctime unix.Timespec
}

func (f file) changed() time.Time { return time.Unix(f.ctime.Unix()) }

func identity(path string) (file, error) {
	var s unix.Stat_t
	if err := unix.Stat(path, &s); err != nil {
		return file{}, fmt.Errorf("%s: %w", path, err)
	}
	return file{path, uint64(s.Dev), s.Ino, s.Size, s.Mtim, s.Ctim}, nil
}

// schedulable is the number of CPUs that this process may use, by which XLA divides work.
func schedulable() (string, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return "", err
	}
	return fmt.Sprint(set.Count()), nil
}
