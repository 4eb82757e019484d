package zoo_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

func TestUserCards(t *testing.T) {
	t.Setenv("METAMERS_CACHE", t.TempDir())
	base, err := zoo.Lookup("resnet20")
	if err != nil {
		t.Fatal(err)
	}
	before := zoo.Names()
	c := *base
	c.Aliases = nil
	if _, err := zoo.AddCard(&c); err == nil || !strings.Contains(err.Error(), "the project's model resnet20_cifar10") {
		t.Errorf("a card took a name of the project's: %v", err)
	}
	c.Name, c.Aliases = "mine", []string{"resnet20"}
	if _, err := zoo.AddCard(&c); err == nil || !strings.Contains(err.Error(), "the name resnet20") {
		t.Errorf("a card took an alias of the project's: %v", err)
	}
	c.Aliases = []string{"my"}
	c.Weights.Path = "/somewhere/file.th"
	path, err := zoo.AddCard(&c)
	if err != nil || path != filepath.Join(os.Getenv("METAMERS_CACHE"), "cards", "mine.json") {
		t.Fatalf("%s, %v", path, err)
	}
	for _, n := range []string{"mine", "my"} {
		if got, err := zoo.Lookup(n); err != nil || got.Name != "mine" || got.Weights.Path != c.Weights.Path {
			t.Errorf("%s: %+v, %v", n, got, err)
		}
	}
	if names := zoo.Names(); len(names) != len(before)+1 || !slices.Contains(names, "mine") {
		t.Errorf("names %v", names)
	}
	if _, err := zoo.AddCard(&c); err == nil || !strings.Contains(err.Error(), "metamers models rm mine") {
		t.Errorf("a second card of the name: %v", err)
	}
	var unknown *metamer.UnknownError
	if _, err := zoo.Lookup("mne"); !errors.As(err, &unknown) || !slices.Contains(unknown.Nearest, "mine") {
		t.Errorf("got %v", err)
	}
	bad := c
	bad.Name = "../up"
	if _, err := zoo.AddCard(&bad); err == nil {
		t.Error("a name with folders was taken")
	}
	// Cards that were put there by hand and cannot be used leave the others usable.
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(zoo.CardFolder(), name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("broken.json", "{")
	write("resnet56_cifar10.json", strings.NewReplacer(`"mine"`, `"resnet56_cifar10"`, `"my"`, `"my2"`).Replace(string(text)))
	write("wrong.json", strings.NewReplacer(`"mine"`, `"other"`, `"my"`, `"my3"`).Replace(string(text)))
	if _, err := zoo.Lookup("mine"); err != nil {
		t.Error(err)
	}
	if _, err := zoo.Lookup("resnet20"); err != nil {
		t.Error(err)
	}
	if _, err := zoo.Lookup("resnet56_cifar10"); err == nil || !strings.Contains(err.Error(), "the name resnet56_cifar10") {
		t.Errorf("a name that both have: %v", err)
	}
	if _, err := zoo.Lookup("broken"); err == nil || !strings.Contains(err.Error(), "broken.json") || !strings.Contains(err.Error(), "wrong.json holds the card of other") {
		t.Errorf("got %v", err)
	}
	for _, n := range []string{"broken", "my"} {
		if _, err := zoo.RemoveCard(n); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the card is still there")
	}
	for _, n := range []string{"mine", "../../x", "resnet20"} {
		if _, err := zoo.RemoveCard(n); err == nil {
			t.Errorf("%s was removed", n)
		}
	}
}

// FuzzUserCard: whatever a card's file holds, it is refused or gives a card of its
// file's name that takes no name of the project's.
func FuzzUserCard(f *testing.F) {
	f.Setenv("METAMERS_CACHE", f.TempDir())
	base, err := zoo.Lookup("resnet20")
	if err != nil {
		f.Fatal(err)
	}
	c := *base
	c.Name, c.Aliases = "fuzz", nil
	path, err := zoo.AddCard(&c)
	if err != nil {
		f.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"name":"fuzz"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := zoo.Lookup("fuzz")
		if err == nil && (got.Name != "fuzz" || len(got.Stages) != 3) {
			t.Errorf("%+v", got)
		}
		if c, err := zoo.Lookup("resnet20"); err == nil && c.Name != "resnet20_cifar10" {
			t.Errorf("resnet20 is %s", c.Name)
		}
	})
}
