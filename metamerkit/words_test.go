package metamerkit

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Words that this project once had for itself, with what is said instead. Others of that time,
// such as place, ahead, warm, slope and foreign, are words of plain English or of mathematics
// too, and are not looked for.
var privateWords = map[string]string{
	"errands?": "request", "remote (server|client)s?": "server, client", "recall(s|ed)?": "cache", "lacking": "missing", "desk": "server", "shelf": "cache", "depot": "weights", "lifeline": "supervisor",
	"contest": "benchmark", "mover": "update step", "judg(e|es|ed|ing)": "evaluate, test",
	"evidence": "match statistics", // but for the file evidence.json and its field
}

// The field's words are used in code, help, errors and docs: no private word is left.
func TestNoPrivateWords(t *testing.T) {
	words := regexp.MustCompile(`(?i)\b(` + strings.Join(slices.Collect(maps.Keys(privateWords)), "|") + `)\b`)
	stored := strings.NewReplacer("evidence.json", "", `json:"evidence"`, "", `"evidence":`, "")
	read := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && len(d.Name()) > 2 && (strings.HasPrefix(d.Name(), ".") || slices.Contains([]string{"bin", "out", "testdata"}, d.Name())) {
			return filepath.SkipDir
		}
		if !d.Type().IsRegular() || !slices.Contains([]string{".go", ".md", ".sh", ".yaml", ".ipynb", ".tmpl"}, filepath.Ext(path)) || d.Name() == "CHANGELOG.md" || d.Name() == "words_test.go" {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		read++
		for i, line := range strings.Split(stored.Replace(string(data)), "\n") {
			if found := words.FindString(line); found != "" {
				t.Errorf("%s:%d has the private word %q, expected another: %v", path, i+1, found, privateWords)
			}
		}
		return nil
	})
	if err != nil || read < 500 {
		t.Errorf("%d files read: %v", read, err)
	}
}
