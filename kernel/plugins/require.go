package plugins

import (
	"os"
	"path/filepath"
	"slices"
)

// Require takes over the module files in a folder. It returns the packages that the
// builder has given to cells and that are others by the new files; those stay as they
// are until Renew.
func (b *Builder) Require(dir string) (changed []string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := os.MkdirAll(b.Dir, 0o700); err != nil {
		return nil, err
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(b.Dir, name), data, 0o600); err != nil {
			return nil, err
		}
	}
	if b.exports == nil {
		return nil, nil // nothing has been asked for
	}
	b.next = map[string]string{}
	if err := b.list(b.next, b.known()); err != nil {
		b.next = nil
		return nil, err
	}
	for path, file := range b.exports {
		if now := b.next[path]; now != "" && now != file {
			changed = append(changed, path)
		}
	}
	if len(changed) == 0 {
		b.take()
	}
	slices.Sort(changed)
	return changed, nil
}

// Renew forgets the packages of cells and takes the packages as Require found them: a
// new session begins.
func (b *Builder) Renew() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.cells)
	b.changed = ""
	if b.next != nil {
		b.take()
	}
}

// take takes the packages as Require found them. The lock is held.
func (b *Builder) take() {
	b.exports, b.next = b.next, nil
	b.made, _ = b.key() // without one they are listed again
}
