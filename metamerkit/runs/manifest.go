package runs

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// manifest maps file names to their SHA-256.
type manifest struct {
	Files map[string]string `json:"files"`
}

const manifestName = "manifest.json"

// needed are the files without which a folder is no run.
var needed = []string{"recipe.json", "evidence.json", "trace.csv", "metamers.safetensors", "start.safetensors"}

// errNoManifest is behind the error of a run that nothing vouches for: it was made
// before there were manifests, or copied in part.
var errNoManifest = errors.New("it has no manifest.json")

func readManifest(dir string) (m manifest, err error) {
	data, err := os.ReadFile(filepath.Join(dir, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return m, errNoManifest
	}
	if err != nil {
		return m, fmt.Errorf("runs: %w", err)
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, &CorruptError{Dir: dir, Problem: manifestName + ": " + err.Error()}
	}
	// Nothing vouches for the manifest, and encoding/json takes "Files" for "files" and the
	// last of two equal names.
	if whole, err := marshal(m); err != nil || !bytes.Equal(whole, data) {
		return m, &CorruptError{Dir: dir, Problem: manifestName + " is not as it was written"}
	}
	for name := range m.Files {
		if !filepath.IsLocal(name) || name == manifestName {
			return m, &CorruptError{Dir: dir, Problem: fmt.Sprintf("the manifest names a file %q", name)}
		}
	}
	for _, need := range needed {
		if m.Files[need] == "" {
			return m, &CorruptError{Dir: dir, Problem: "the manifest does not have " + need}
		}
	}
	return m, nil
}

// verify holds every file of a run against its manifest. What is not as it was
// written is a *CorruptError; a file that cannot be read for another reason, such as
// a network folder that is away, is another error.
func verify(dir string) error {
	m, err := readManifest(dir)
	if errors.Is(err, errNoManifest) {
		return &CorruptError{Dir: dir, Problem: err.Error()}
	}
	if err != nil {
		return err
	}
	for name, want := range m.Files {
		if problem, err := checkFile(dir, name, want); err != nil {
			return err
		} else if problem != "" {
			return &CorruptError{Dir: dir, Problem: problem}
		}
	}
	return nil
}

// checkFile says what is wrong with a file of a run, "" if nothing.
func checkFile(dir, name, want string) (problem string, err error) {
	got, err := paths.Sum(filepath.Join(dir, name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return name + " is missing", nil
	case err != nil:
		return "", fmt.Errorf("runs: %w", err)
	case got != want:
		return fmt.Sprintf("%s has the SHA-256 %s, expected %s", name, got, want), nil
	}
	return "", nil
}

// listed returns the files of a run in order, the manifest last: who copies them in
// this order never leaves a manifest without its files.
func (m manifest) listed() []string {
	var names []string
	for n := range m.Files {
		names = append(names, n)
	}
	slices.Sort(names)
	return append(names, manifestName)
}

func digest(data []byte) string {
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:])
}
