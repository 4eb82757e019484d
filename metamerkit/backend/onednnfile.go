package backend

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// OneDNNVar names a file with oneDNN, which then takes the place of the one that `make setup`
// brings; "off" is none.
const OneDNNVar = "METAMERS_ONEDNN"

// OneDNNVersion is the version of the wheel with oneDNN that `make setup` brings.
const OneDNNVersion = "2023.2.0"

// oneDNN returns the file with oneDNN for XLA's CPU plugin in a file, and its version, "" where
// there is none. It is in the cache folder, or where pip puts it beside the plugin's package.
func oneDNN(plugin string) (file, version string, err error) {
	switch named := os.Getenv(OneDNNVar); named {
	case "off":
		return "", "", nil
	case "":
		const name = "libdnnl.so.3.2"
		for _, file := range []string{
			filepath.Join(paths.Cache(), "plugins", "onednn-"+OneDNNVersion, name),
			filepath.Join(filepath.Dir(plugin), "..", "..", "..", name), // lib/python3.X/site-packages/PACKAGE
		} {
			if _, err := os.Stat(file); err == nil {
				return file, OneDNNVersion, nil
			}
		}
		return "", "", nil
	default:
		sum, err := paths.Sum(named)
		if err != nil {
			return "", "", fmt.Errorf("backend: %s is %q, which cannot be read: %w: expected off or a file with oneDNN", OneDNNVar, named, err)
		}
		return named, filepath.Base(named) + "@" + sum[:12], nil
	}
}
