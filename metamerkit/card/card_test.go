package card_test

import (
	"encoding/json"
	"io/fs"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/models"
)

func read(t testing.TB) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	files, err := fs.Glob(models.Cards, "*/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if out[f], err = models.Cards.ReadFile(f); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// Every card of the project parses, and each of these changes is refused with the
// name of the field.
func TestCards(t *testing.T) {
	for f, data := range read(t) {
		if _, err := card.Parse(data); err != nil {
			t.Errorf("%s: %v", f, err)
		}
		for field, change := range map[string]func(m map[string]any){
			"name": func(m map[string]any) { m["name"] = "../x" }, "kind": func(m map[string]any) { m["kind"] = "rnn" },
			"stages.late": func(m map[string]any) { delete(m["stages"].(map[string]any), "late") },
			"sha256":      func(m map[string]any) { m["weights"].(map[string]any)["sha256"] = "abc" },
			"file":        func(m map[string]any) { m["weights"].(map[string]any)["file"] = "../../etc/passwd" },
			"input.size":  func(m map[string]any) { m["input"].(map[string]any)["size"] = -1 },
			"input.mean":  func(m map[string]any) { m["input"].(map[string]any)["std"] = []int{0, 1, 1} },
			"colour":      func(m map[string]any) { m["colour"] = "red" },
		} {
			var m map[string]any
			if err := json.Unmarshal(data, &m); err != nil {
				t.Fatal(err)
			}
			change(m)
			bad, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := card.Parse(bad); err == nil || !strings.Contains(err.Error(), field) {
				t.Errorf("%s with a bad %s: %v", f, field, err)
			}
		}
	}
}

func FuzzCard(f *testing.F) {
	for _, data := range read(f) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := card.Parse(data); err == nil && (c.Name == "" || len(c.Stages) != 3) {
			t.Errorf("accepted %+v", c)
		}
	})
}
