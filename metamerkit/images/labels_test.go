package images

import (
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Image files have the labels of the table in their folder; one that the table does not
// name has none, and a table that cannot be used is an error that names it.
func TestLabelsFile(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.png", "b.png", "c.png"} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := png.Encode(f, image.NewRGBA(image.Rect(0, 0, 4, 4))); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	open := func(table string) (*Set, error) {
		path := filepath.Join(dir, LabelsFile)
		os.Remove(path)
		if table != "" {
			if err := os.WriteFile(path, []byte(table), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return Open([]string{dir}, Options{Size: 4})
	}
	bare, err := open("")
	if err != nil || !slices.Equal(bare.Labels, []int{-1, -1, -1}) || bare.ClassNames != nil {
		t.Fatalf("%+v %v", bare, err)
	}
	set, err := open("name\tfile\tindex\ntench, Tinca tinca\tb.png\t0\nhen\tsub/a.png\t8\n")
	if err != nil || !slices.Equal(set.Labels, []int{8, 0, -1}) || len(set.ClassNames) != 1000 || set.Class(1) != "tench" || set.Class(0) != "hen" || set.Class(2) != "" {
		t.Fatalf("%v %v", set, err)
	}
	if set.SHA256() == bare.SHA256() || set.Unlabelled().SHA256() != bare.SHA256() {
		t.Error("labels are no part of the set's sum, or stay in it")
	}
	one, err := Open([]string{filepath.Join(dir, "b.png")}, Options{Size: 4})
	if err != nil || !slices.Equal(one.Labels, []int{0}) {
		t.Errorf("a single file: %v %v", one, err)
	}
	for table, want := range map[string]string{
		"file\tindex\na.png\t1000\n":            "the class 1000 for a.png, expected one of ImageNet-1k, 0 to 999",
		"file\tindex\na.png\tcat\n":             `line 2: the index is "cat"`,
		"file,index\na.png,1\n":                 "separated by tabs, not by ,",
		"\xff\xfef\x00":                         "UTF-16",
		"picture\tindex\n":                      "expected file and index among them",
		"file\tindex\nx/a.png\t1\ny/a.png\t2\n": "line 3: a.png has the class 2, and 1",
		"file\tindex\na.png\n":                  "wrong number of fields",
	} {
		if _, err := open(table); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), filepath.Join(dir, LabelsFile)) {
			t.Errorf("%q: %v, expected %q", table, err, want)
		}
	}
}
