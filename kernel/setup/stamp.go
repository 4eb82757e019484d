package setup

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// A stamp says from what the programs were built. Asking the go command whether they
// are as they should be takes it half a second, and several where others use the
// machine; looking at names, sizes and times of what they are built from takes none.
type stamp struct {
	Folders []string // of sources, and of what is embedded; modules in the module cache do not change
	Sum     string   // of those and of how the go command is set
	Made    string   // the programs themselves
}

// variables of the go command that decide what it builds, or where.
var variables = []string{"GOVERSION", "GOROOT", "GOCACHE", "GOMODCACHE", "GOFLAGS", "GOEXPERIMENT", "GOWORK", "GOOS", "GOARCH", "GOAMD64",
	"CGO_ENABLED", "CC", "CXX", "CGO_CFLAGS", "CGO_CPPFLAGS", "CGO_CXXFLAGS", "CGO_LDFLAGS"}

// settings asks the go command how it is set in the checkout.
func settings(checkout string) ([]byte, error) {
	cmd := exec.Command("go", append([]string{"env"}, variables...)...)
	cmd.Dir = checkout
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	return out, nil
}

// setting is one of what settings returned.
func setting(all []byte, name string) string {
	lines := strings.Split(string(all), "\n")
	if i := slices.Index(variables, name); i < len(lines) {
		return lines[i]
	}
	return ""
}

// sourceFolders asks the go command from which folders it builds programs.
func sourceFolders(checkout string, set []byte, programs ...string) ([]string, error) {
	cmd := exec.Command("go", append([]string{"list", "-deps", "-json=Dir,EmbedFiles,Standard"}, programs...)...)
	cmd.Dir = checkout
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	modules := setting(set, "GOMODCACHE")
	seen := map[string]bool{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			Dir        string
			EmbedFiles []string
			Standard   bool
		}
		if err := d.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		if p.Standard || modules != "" && strings.HasPrefix(p.Dir, modules+string(filepath.Separator)) {
			continue
		}
		seen[p.Dir] = true
		for _, f := range p.EmbedFiles {
			seen[filepath.Dir(filepath.Join(p.Dir, f))] = true
		}
	}
	var dirs []string
	for d := range seen {
		dirs = append(dirs, d)
	}
	slices.Sort(dirs)
	return dirs, nil
}

// sum is that of all that a build depends on.
func sum(checkout string, set []byte, folders []string) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n", checkout, set)
	look(h, checkout, "go.mod", "go.sum")
	if work := setting(set, "GOWORK"); filepath.IsAbs(work) {
		look(h, "", work)
	}
	commit(h, checkout)
	for _, dir := range folders {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return "", err
		}
		var names []string
		for _, e := range entries {
			if n := e.Name(); !strings.HasPrefix(n, ".") && !strings.HasSuffix(n, "_test.go") {
				names = append(names, n)
			}
		}
		look(h, dir, names...)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// look writes what a file is: of a folder only that it is there.
func look(w io.Writer, dir string, names ...string) {
	for _, n := range names {
		path := filepath.Join(dir, n)
		switch st, err := os.Stat(path); {
		case err != nil:
			fmt.Fprintf(w, "%s is missing\n", path)
		case st.IsDir():
			fmt.Fprintf(w, "%s/\n", path)
		default:
			fmt.Fprintf(w, "%s %d %d\n", path, st.Size(), st.ModTime().UnixNano())
		}
	}
}

// commit writes what changes when another commit is checked out, which programs name.
func commit(w io.Writer, checkout string) {
	git := filepath.Join(checkout, ".git")
	if text, err := os.ReadFile(git); err == nil { // a worktree
		if at, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "gitdir: "); ok {
			git = at
		}
	}
	look(w, git, "HEAD", "logs/HEAD")
}

// built reports whether the programs at the paths were built from what is there now.
func (s stamp) built(checkout string, set []byte, programs ...string) bool {
	if len(s.Folders) == 0 || s.Made != made(programs) {
		return false
	}
	now, err := sum(checkout, set, s.Folders)
	return err == nil && now == s.Sum
}

// made is what the programs are, so that one which somebody else has put there is
// noticed.
func made(programs []string) string {
	var b bytes.Buffer
	look(&b, "", programs...)
	return b.String()
}

func readStamp(path string) (s stamp) {
	data, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(data, &s) != nil {
		return stamp{}
	}
	return s
}
