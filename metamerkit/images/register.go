package images

import (
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Source opens a part of a named image set: "", "N" or "FROM-TO" (see Span). The size of
// its options is never 0.
type Source func(part string, o Options) (*Set, error)

var (
	sourcesMu sync.RWMutex
	sources   = map[string]Source{}
)

// Register adds a named image set that Open can read, as it reads CIFAR-10. It panics if
// the name is empty or taken.
func Register(name string, open Source) {
	sourcesMu.Lock()
	defer sourcesMu.Unlock()
	if name == "" || name == "cifar10" || open == nil || sources[name] != nil {
		panic(fmt.Sprintf("images: Register(%q): empty, taken or without a source", name))
	}
	sources[name] = open
}

// Registered returns the names of the registered image sets, sorted.
func Registered() []string {
	sourcesMu.RLock()
	defer sourcesMu.RUnlock()
	return slices.Sorted(maps.Keys(sources))
}

// expected says what an image set may be given as.
func expected() string {
	text := "cifar10[:N]"
	for _, name := range Registered() {
		text += ", " + name + "[:N]"
	}
	return text + ", a folder or image files"
}

func source(name string) Source {
	sourcesMu.RLock()
	defer sourcesMu.RUnlock()
	return sources[name]
}

// CIFARClasses returns the ten class names of CIFAR-10 in the order of their labels.
func CIFARClasses() []string { return slices.Clone(cifarClasses) }
