package zoo

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// CardFolder returns the folder of the cards that users of this machine added, one file
// NAME.json per model.
func CardFolder() string { return filepath.Join(paths.Cache(), "cards") }

// userCards returns the cards that users added and those that were introduced. A card that
// cannot be used, or whose name is taken, is an error, which is returned with the other cards.
func userCards() (map[string]*card.Card, error) {
	mu.RLock()
	out := maps.Clone(introduced)
	mu.RUnlock()
	entries, err := os.ReadDir(CardFolder())
	if errors.Is(err, os.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return out, fmt.Errorf("zoo: %w", err)
	}
	var bad []error
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".json" {
			continue
		}
		path := filepath.Join(CardFolder(), e.Name())
		c, err := readCard(path)
		if err != nil {
			bad = append(bad, err)
			continue
		}
		for _, n := range append([]string{c.Name}, c.Aliases...) {
			if out[n] != nil {
				bad = append(bad, fmt.Errorf("zoo: %s: the name %s belongs to your card of %s too", path, n, out[n].Name))
				continue
			}
			out[n] = c
		}
	}
	return out, errors.Join(bad...)
}

// introduced are the cards that Introduce added.
var introduced = map[string]*card.Card{}

// Introduce adds a card for the running program only, and replaces a card of this name that
// it added before. An invalid card, and a name that a stored card has, are an error.
func Introduce(c *card.Card) error {
	if _, err := encode(c); err != nil {
		return err
	}
	mu.Lock()
	defer mu.Unlock()
	introduced[c.Name] = c
	return nil
}

// Withdraw removes a card that Introduce added. Other names are ignored.
func Withdraw(name string) {
	mu.Lock()
	defer mu.Unlock()
	delete(introduced, name)
}

func readCard(path string) (*card.Card, error) {
	s, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("zoo: %w", err)
	}
	if s.Size() > card.MaxBytes {
		return nil, fmt.Errorf("zoo: %s has %d bytes, expected at most %d", path, s.Size(), card.MaxBytes)
	}
	data, err := paths.ReadText(path)
	if err != nil {
		return nil, fmt.Errorf("zoo: %w", err)
	}
	c, err := card.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("zoo: %s: %w", path, err)
	}
	if filepath.Base(path) != c.Name+".json" {
		return nil, fmt.Errorf("zoo: %s holds the card of %s, expected the file to be called %s.json", path, c.Name, c.Name)
	}
	if err := taken(c); err != nil {
		return nil, fmt.Errorf("zoo: %s: %w", path, err)
	}
	return c, nil
}

// taken returns an error if a built-in card has a name of the card.
func taken(c *card.Card) error {
	load()
	for _, n := range append([]string{c.Name}, c.Aliases...) {
		if full, ok := aliases[n]; ok {
			return fmt.Errorf("the name %s is that of the project's model %s; choose another (models add --name)", n, full)
		}
	}
	return nil
}

// Free returns an error if the name of the card is taken.
func Free(c *card.Card) error {
	if err := taken(c); err != nil {
		return fmt.Errorf("zoo: %w", err)
	}
	if _, err := os.Lstat(userCard(c.Name)); err == nil {
		return alreadyThere(c)
	}
	return nil
}

// userCard is the path of a user's card.
func userCard(name string) string { return filepath.Join(CardFolder(), name+".json") }

func alreadyThere(c *card.Card) error {
	return fmt.Errorf("zoo: you have a card %s already (%s): metamers models rm %s removes it", c.Name, userCard(c.Name), c.Name)
}

// encode returns the text of a valid card whose name is not taken by a built-in one.
func encode(c *card.Card) ([]byte, error) {
	text, err := json.MarshalIndent(c, "", "  ")
	if err == nil {
		_, err = card.Parse(text)
	}
	if err == nil {
		err = taken(c)
	}
	if err != nil {
		return nil, fmt.Errorf("zoo: %w", err)
	}
	return text, nil
}

// AddCard writes a card to CardFolder, where Lookup finds it, and returns its path. A name
// that is taken is an error.
func AddCard(c *card.Card) (path string, err error) {
	text, err := encode(c)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(CardFolder(), 0o777); err != nil {
		return "", fmt.Errorf("zoo: %w", err)
	}
	path = userCard(c.Name)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if errors.Is(err, os.ErrExist) {
		return "", alreadyThere(c)
	}
	if err != nil {
		return "", fmt.Errorf("zoo: %w", err)
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(path)
		return "", fmt.Errorf("zoo: %w", err)
	}
	return path, nil
}

// RemoveCard deletes a user's card and returns its path. The weight file is not deleted.
func RemoveCard(name string) (string, error) {
	load()
	if full, ok := aliases[name]; ok {
		return "", fmt.Errorf("zoo: %s is the project's own model %s, which cannot be removed", name, full)
	}
	users, _ := userCards() // one that is bad can be removed too
	if c := users[name]; c != nil {
		name = c.Name
	}
	path := userCard(name)
	err := os.ErrNotExist
	if !strings.ContainsRune(name, filepath.Separator) {
		err = os.Remove(path)
	}
	if errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("zoo: %w", metamer.Unknown("card of yours", name, slices.Sorted(maps.Keys(users))))
	}
	if err != nil {
		return "", fmt.Errorf("zoo: %w", err)
	}
	return path, nil
}
