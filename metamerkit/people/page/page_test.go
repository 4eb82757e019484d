package page

import (
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/people"
	"github.com/ensemble-metamers/metamers/metamerkit/people/peopletest"
)

func written(t *testing.T) (folder string, d *people.Design) {
	t.Helper()
	d, images, err := people.New(peopletest.Settings(), peopletest.Source(16))
	if err != nil {
		t.Fatal(err)
	}
	folder = filepath.Join(t.TempDir(), "exp")
	if err := Write(folder, d, images, map[string][]byte{"jspsych.js": []byte("//")}); err != nil {
		t.Fatal(err)
	}
	return folder, d
}

// The folder holds every image under the checksum of its design. A folder that exists
// already is left alone.
func TestWrite(t *testing.T) {
	folder, d := written(t)
	got, err := people.Load(folder)
	if err != nil || got.SHA256() != d.SHA256() {
		t.Fatalf("the design that was read differs (%v)", err)
	}
	for _, s := range d.Stimuli {
		data, err := os.ReadFile(filepath.Join(folder, s.Path))
		if sum := sha256.Sum256(data); err != nil || fmt.Sprintf("%x", sum) != s.SHA256 {
			t.Errorf("%s: SHA-256 %x, %v", s.Path, sum, err)
		}
	}
	if err := Write(folder, d, nil, nil); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("a folder was overwritten: %v", err)
	}
}

// What the page loads is in the folder and is served, and nothing comes from elsewhere.
func TestSelfContained(t *testing.T) {
	folder, d := written(t)
	html, err := os.ReadFile(filepath.Join(folder, "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	served := Served(d)
	links := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(string(html), -1)
	if len(links) < 10 {
		t.Fatalf("%d links", len(links))
	}
	for _, l := range links {
		if l[1] != "data:," && !served[l[1]] {
			t.Errorf("index.html loads %s, which is not served", l[1])
		}
	}
	for _, private := range []string{people.DesignName, "data", "psychopy.csv", "brainscore.csv"} {
		if served[private] {
			t.Errorf("%s is served", private)
		}
	}
}

// An export has what the page loads and no data. What cannot be exported is an error that
// names it. The tests of package simulate take part through exports.
func TestExport(t *testing.T) {
	folder, d := written(t)
	for name := range Served(d) {
		if p := filepath.Join(folder, name); strings.HasPrefix(name, "jspsych/") {
			if err := os.WriteFile(p, []byte("//"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	out := filepath.Join(t.TempDir(), "site")
	if err := Export(folder, "datapipe", "abcDEF123456", out); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(filepath.Join(out, "settings.js")); err != nil || !strings.Contains(string(data), `"experiment": "abcDEF123456"`) {
		t.Errorf("settings.js: %s, %v", data, err)
	}
	for _, private := range []string{people.DesignName, "data", "brainscore.csv"} {
		if _, err := os.Stat(filepath.Join(out, private)); err == nil {
			t.Errorf("%s was exported", private)
		}
	}
	for name, c := range map[string]struct{ host, id, out, want string }{
		"again":     {"pavlovia", "", out, "not empty"},
		"no ID":     {"datapipe", "", "x", "--id"},
		"an ID":     {"jatos", "abc", "x.jzip", "--id"},
		"extension": {"jatos", "", "study.zip", ".jzip"},
		"host":      {"osf", "", "x", "jatos, datapipe"},
	} {
		if err := Export(folder, c.host, c.id, c.out); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, expected one with %q", name, err, c.want)
		}
	}
	if err := os.Remove(filepath.Join(folder, d.Masks[0].Path)); err != nil {
		t.Fatal(err)
	}
	if err := Export(folder, "pavlovia", "", filepath.Join(t.TempDir(), "x")); err == nil || !strings.Contains(err.Error(), filepath.Base(d.Masks[0].Path)) {
		t.Errorf("a missing mask: %v", err)
	}
}

// The page's columns are those of package people.
func TestColumns(t *testing.T) {
	js, err := files.ReadFile("files/rows.js")
	if err != nil {
		t.Fatal(err)
	}
	list := regexp.MustCompile(`(?s)const columns = (\[.*?\]);`).FindSubmatch(js)
	var names []string
	if err := json.Unmarshal(list[1], &names); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, c := range people.Columns {
		want = append(want, c.Name)
	}
	if fmt.Sprint(names) != fmt.Sprint(want) {
		t.Errorf("the page has the columns %v, expected %v", names, want)
	}
}

func TestDescriptions(t *testing.T) {
	folder, d := written(t)
	for name, lines := range map[string]int{"psychopy.csv": 1 + 30*14, "brainscore.csv": 1 + 12*3 + 4} {
		f, err := os.Open(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(f).ReadAll()
		f.Close()
		if err != nil || len(rows) != lines {
			t.Errorf("%s has %d lines, expected %d (%v)", name, len(rows), lines, err)
		}
	}
	var ds struct {
		Name             string `json:"name"`
		VariableMeasured []struct{ Name string }
	}
	data, err := os.ReadFile(filepath.Join(folder, "dataset_description.json"))
	if err != nil || json.Unmarshal(data, &ds) != nil || ds.Name != d.Title || len(ds.VariableMeasured) != len(people.Columns) {
		t.Errorf("dataset_description.json: %s, %v", data, err)
	}
}

// Files that are not jsPsych's are refused, wherever they come from.
func TestOtherJSPsych(t *testing.T) {
	dir := t.TempDir()
	if _, err := JSPsych(context.Background(), dir); err == nil || !strings.Contains(err.Error(), "jspsych.js") {
		t.Errorf("error %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "jspsych.js"), []byte("//"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := JSPsych(context.Background(), dir); err == nil || !strings.Contains(err.Error(), "SHA-256") {
		t.Errorf("error %v", err)
	}
	t.Setenv("METAMERS_CACHE", t.TempDir())
	t.Setenv("PATH", "") // no npm
	if _, err := JSPsych(context.Background(), ""); err == nil || !strings.Contains(err.Error(), "npm is not installed") {
		t.Errorf("error %v", err)
	}
}
