package images

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ensemble-metamers/metamers/metamerkit/place"
)

// originFile is where the cache keeps the paths of the set with this SHA-256. Runs do not
// hold them: a run that is published says nothing of its maker's folders.
func originFile(sha256 string) string {
	return filepath.Join(place.Cache(), "images", sha256+".json")
}

// Remember notes in the cache where the files of a set are, so that it is found again from
// another folder. Sets without files are passed over.
func Remember(s *Set, sha256 string) error {
	if len(s.Paths) == 0 {
		return nil
	}
	text, err := json.Marshal(s.Paths)
	if err != nil {
		return fmt.Errorf("images: %w", err)
	}
	path := originFile(sha256)
	if old, err := os.ReadFile(path); err == nil && string(old) == string(text) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return fmt.Errorf("images: %w", err)
	}
	return place.WriteBytes(path, text)
}

// Origin returns the folders and files that the set with this SHA-256 was last opened from on
// this machine, nil if that is not known.
func Origin(sha256 string) (paths []string) {
	text, err := os.ReadFile(originFile(sha256))
	if err != nil || json.Unmarshal(text, &paths) != nil {
		return nil
	}
	return paths
}
