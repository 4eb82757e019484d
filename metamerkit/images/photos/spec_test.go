package photos

import (
	"errors"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

func picture(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, image.NewNRGBA(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
}

// Where the name of a set is also a path, the error says how to write each, and both
// spellings open what they say.
func TestSetOrPath(t *testing.T) {
	here := t.TempDir()
	t.Chdir(here)
	for name, want := range map[string][2]string{
		"photos":        {"photos:171", "./photos"},
		"photos:4":      {"photos:0-4", "./photos:4"},
		"photos:0-3":    {"photos:3", "./photos:0-3"},
		"photos:2-3":    {"photos:02-3", "./photos:2-3"},
		"cifar10":       {"cifar10:10000", "./cifar10"},
		"cifar10:8":     {"cifar10:0-8", "./cifar10:8"},
		"cifar10:train": {"cifar10:train:50000", "./cifar10:train"},
	} {
		picture(t, filepath.Join(name, "a.png"))
		_, err := images.Open([]string{name}, images.Options{Size: 8})
		var twofold *metamer.TwofoldError
		if strings.HasPrefix(name, "cifar10") {
			_, err = images.Open([]string{name}, images.Options{})
		}
		if !errors.As(err, &twofold) || twofold.Readings[0].Write != want[0] || twofold.Readings[1].Write != want[1] {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if s, err := images.Open([]string{want[1]}, images.Options{Size: 8}); err != nil || s.Len() != 1 || s.Name != want[1] {
			t.Errorf("%s: %v", want[1], err)
		}
		if strings.HasPrefix(name, "photos") {
			if s, err := images.Open([]string{want[0]}, images.Options{Size: 8}); err != nil || s.Name != want[0] || s.Paths != nil {
				t.Errorf("%s: %v", want[0], err)
			}
		}
		t.Chdir(t.TempDir())
		if _, err = images.Open([]string{name}, images.Options{Folder: here}); !errors.As(err, &twofold) {
			t.Errorf("%s, seen from another folder: %v", name, err)
		}
		t.Chdir(here)
	}
}

// A line names a path with spaces, several files, or files in quotes.
func TestSplit(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, p := range []string{"my photos/a b.png", "my photos/c.png", "x.png", "it's.png"} {
		picture(t, p)
	}
	for line, want := range map[string][]string{
		"my photos":                     {"my photos"},
		"my photos/a b.png":             {"my photos/a b.png"},
		"x.png x.png":                   {"x.png", "x.png"},
		`"my photos/a b.png" x.png`:     {"my photos/a b.png", "x.png"},
		`'my photos/c.png'  "it's.png"`: {"my photos/c.png", "it's.png"},
		"it's.png":                      {"it's.png"},
		"my fotos/a b.png":              {"my fotos/a b.png"}, // missing, and named whole
		"photos:4":                      {"photos:4"},
	} {
		got, err := images.Split(line, "")
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", line, got, err)
		}
		if again, err := images.Split(images.Join(got), ""); err != nil || !slices.Equal(again, want) {
			t.Errorf("%s, written again as %s: %q, %v", line, images.Join(got), again, err)
		}
	}
	if _, err := images.Split(`"x.png`, ""); err == nil {
		t.Error("an open quote is accepted")
	}
	s, err := images.OpenLine(`"my photos/a b.png" x.png`, images.Options{Size: 8})
	if err != nil || s.Len() != 2 || s.Names[0] != "a b" || len(s.Paths) != 2 || !filepath.IsAbs(s.Paths[0]) {
		t.Errorf("%+v, %v", s, err)
	}
}

// A set whose files are not on this machine is no reason to take a path of its name.
func TestSetThatIsNotHere(t *testing.T) {
	t.Chdir(t.TempDir())
	images.Register("away", func(string, images.Options) (*images.Set, error) { return nil, errors.New("not here") })
	picture(t, "away/a.png")
	_, err := images.Open([]string{"away"}, images.Options{Size: 8})
	var twofold *metamer.TwofoldError
	if !errors.As(err, &twofold) || !strings.Contains(err.Error(), "write away:N (the first N) for the first or ./away for the second") {
		t.Error(err)
	}
}
