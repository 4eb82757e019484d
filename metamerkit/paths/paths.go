// Package paths returns the project's folders: the cache (METAMERS_CACHE, default the
// folder metamers in the user's cache folder) and the data folders (METAMERS_DATA, a list
// of paths, followed by the folder data of the cache). It also replaces files atomically.
package paths

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Cache returns the cache folder, which need not exist.
func Cache() string {
	if d := os.Getenv("METAMERS_CACHE"); d != "" {
		return d
	}
	d, err := os.UserCacheDir()
	if err != nil {
		d = os.TempDir()
	}
	return filepath.Join(d, "metamers")
}

// Writable returns an error if nothing can be written in a folder, or made in the nearest
// folder above it that exists.
func Writable(dir string) error {
	at := dir
	for {
		if info, err := os.Stat(at); err == nil {
			if !info.IsDir() {
				return fmt.Errorf("%s is a %s, expected a folder", at, Kind(info.Mode()))
			}
			break
		} else if at == filepath.Dir(at) {
			return err
		}
		at = filepath.Dir(at)
	}
	made, err := os.MkdirTemp(at, ".metamers-*")
	if err != nil {
		return err
	}
	return os.Remove(made)
}

// Runs returns the default folder of the run store.
func Runs() string { return filepath.Join(Cache(), "runs") }

// External returns the folder where rows of metamers made elsewhere are kept, by run.
func External() string { return filepath.Join(Cache(), "external") }

// Data returns the folders that are searched for image sets and weights, in order.
func Data() []string {
	var out []string
	for _, d := range filepath.SplitList(os.Getenv("METAMERS_DATA")) {
		if d != "" {
			out = append(out, d)
		}
	}
	return append(out, filepath.Join(Cache(), "data"), Cache())
}

// Find returns the first of the data folders' paths dir/rel that exists.
func Find(rel ...string) (string, error) {
	var looked []string
	for _, d := range Data() {
		for _, r := range rel {
			p := filepath.Join(d, r)
			if _, err := os.Stat(p); err == nil {
				return p, nil
			}
			looked = append(looked, p)
		}
	}
	return "", fmt.Errorf("none of these exists: %s (METAMERS_DATA names further data folders)", strings.Join(looked, ", "))
}
