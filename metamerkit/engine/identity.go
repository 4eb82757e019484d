package engine

import (
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// identity is what names of runs and of rows need of a model, without its weights in
// memory. A model that cannot be opened, or lacks the layer, has one too: nothing is
// kept under its name, so that opening it says what is wrong.
type identity struct {
	card   *card.Card
	layer  string // that stands for the stage
	sha256 string // of the weight file
}

func (e *Engine) identity(model, stage, precision string) (identity, error) {
	c, err := zoo.Lookup(model)
	if err != nil {
		return identity{}, fmt.Errorf("engine: %w", err)
	}
	id := identity{card: c, layer: zoo.LayerOf(c, stage)}
	key, err := keyOf(c, precision)
	if err != nil {
		return identity{}, err
	}
	if net, ok := e.nets.Peek(key); ok {
		id.sha256 = net.SHA256
		return id, nil
	}
	path, err := Locate(c)
	if err != nil {
		return identity{}, err
	}
	id.sha256, err = zoo.Sum(c, path, e.sums.of)
	return id, err
}

// sums are the SHA-256 of weight files, by path.
type sums struct {
	mu   sync.Mutex
	seen map[string]seen
}

// seen is a file as it was when its sum was taken.
type seen struct {
	size   int64
	when   time.Time
	sha256 string
}

// of is a file's SHA-256, taken again when size or time of the file are others.
func (s *sums) of(path string) (string, error) {
	now, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("engine: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s, ok := s.seen[path]; ok && s.size == now.Size() && s.when.Equal(now.ModTime()) {
		return s.sha256, nil
	}
	got, err := weights.Sum(path)
	if err != nil {
		return "", fmt.Errorf("engine: %w", err)
	}
	if s.seen == nil {
		s.seen = map[string]seen{}
	}
	s.seen[path] = seen{now.Size(), now.ModTime(), got}
	return got, nil
}
