package images

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// mostOrigins is how many origins of a set are kept.
const mostOrigins = 8

// originFile is where the cache keeps the paths of the set with this key, its SHA-256. Runs do
// not hold them: a run that is published says nothing of its maker's folders.
func originFile(key string) string {
	return filepath.Join(paths.Cache(), "images", key+".json")
}

// Remember records the paths of a set's files in the cache, by its key (its SHA-256), so
// that Origins finds them later from another working directory. It does nothing for sets
// without files.
func Remember(s *Set, key string) error {
	if len(s.Paths) == 0 {
		return nil
	}
	before := Origins(key)
	if len(before) > 0 && slices.Equal(before[0], s.Paths) {
		return nil
	}
	all := [][]string{s.Paths}
	for _, paths := range before {
		if len(all) < mostOrigins && !slices.Equal(paths, s.Paths) {
			all = append(all, paths)
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("images: %w", err)
	}
	path := originFile(key)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return fmt.Errorf("images: %w", err)
	}
	return paths.WriteBytes(path, text)
}

// Origins returns the folders and files from which the set with this key was opened on this
// machine, the latest first, or nil if none is recorded. Several folders can have the same
// pixels.
func Origins(key string) (all [][]string) {
	text, err := os.ReadFile(originFile(key))
	if err != nil {
		return nil
	}
	if json.Unmarshal(text, &all) == nil {
		return all
	}
	var one []string // as earlier versions wrote it
	if json.Unmarshal(text, &one) == nil {
		return [][]string{one}
	}
	return nil
}
