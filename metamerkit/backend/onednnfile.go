package backend

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// OneDNNVar names a file with oneDNN, which then takes the place of the one that `make
// setup-onednn` brings; "off" is none.
const OneDNNVar = "METAMERS_ONEDNN"

// OneDNNVersion is the version of the wheel with oneDNN that `make setup-onednn` brings.
const OneDNNVersion = "2023.2.0"

// oneDNN returns the file with oneDNN for a kind of backend and its version, "" where there
// is none.
func oneDNN(k Kind) (file, version string, err error) {
	if k != XLA {
		return "", "", nil
	}
	switch named := os.Getenv(OneDNNVar); named {
	case "off":
		return "", "", nil
	case "":
		file = filepath.Join(paths.Cache(), "plugins", "onednn-"+OneDNNVersion, "libdnnl.so.3.2")
		if _, err := os.Stat(file); err != nil {
			return "", "", nil
		}
		return file, OneDNNVersion, nil
	default:
		sum, err := paths.Sum(named)
		if err != nil {
			return "", "", fmt.Errorf("backend: %s is %q, which cannot be read: %w: expected off or a file with oneDNN", OneDNNVar, named, err)
		}
		return named, filepath.Base(named) + "@" + sum[:12], nil
	}
}
