package runs

import (
	"fmt"
	"os"
	"path/filepath"
)

// Files reads all files of a run, by name, the manifest among them: for the store of a
// client on another machine. Rows of evaluations are not among them.
func (s *Store) Files(id string) (map[string][]byte, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	dir := filepath.Join(s.Dir, id)
	m, err := readManifest(dir)
	if err != nil {
		return nil, fmt.Errorf("runs: no files of run %s: %w", id, err)
	}
	out := map[string][]byte{}
	for _, name := range m.listed() {
		if out[name], err = os.ReadFile(filepath.Join(dir, name)); err != nil {
			return nil, fmt.Errorf("runs: %w", err)
		}
	}
	return out, nil
}
