package weights

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// check panics on tensors that no file can hold.
func check(tensors []Tensor) {
	seen := map[string]bool{"__metadata__": true}
	for _, t := range tensors {
		if seen[t.Name] {
			panic(fmt.Sprintf("weights: the name %q is reserved or stands twice", t.Name))
		}
		seen[t.Name] = true
		if t.Float != nil && t.Int != nil {
			panic(fmt.Sprintf("weights: tensor %q has floats and integers", t.Name))
		}
		have := len(t.Float) + len(t.Int)
		if n, err := elements(t.Shape, math.MaxInt/8); err != nil || n != have {
			panic(fmt.Sprintf("weights: tensor %q has the shape %v and %d elements", t.Name, t.Shape, have))
		}
	}
}

// writeAtomic writes a file under a temporary name in its folder, syncs it and
// renames it, so that path never holds half a file. (os.CreateTemp would leave the
// file unreadable for the user's group.)
func writeAtomic(path string, write func(f *os.File) error) (err error) {
	temporary := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%016x.part", filepath.Base(path), rand.Uint64()))
	f, err := os.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(temporary)
		}
	}()
	if err = write(f); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err = f.Sync(); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err = f.Close(); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err = os.Rename(temporary, path); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
