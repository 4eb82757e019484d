package paths

import (
	"os"
	"path/filepath"
)

// Site returns the paths of a file or folder of Python packages that pip has installed
// beside this program. There are none where the program came in another way.
func Site(rel ...string) []string {
	self, err := os.Executable()
	if err == nil {
		self, err = filepath.EvalSymlinks(self)
	}
	if err != nil {
		return nil
	}
	prefix := filepath.Dir(filepath.Dir(self))
	found, _ := filepath.Glob(filepath.Join(append([]string{prefix, "lib", "python3*", "site-packages"}, rel...)...))
	return found
}
