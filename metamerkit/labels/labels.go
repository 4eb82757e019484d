// Package labels has the class names of ImageNet-1k and CIFAR-10.
package labels

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
)

// imagenet1k.tsv is made by testdata/scripts/imagenet1k.py: WordNet identifiers, and
// the short names that torchvision has for them.
//
//go:embed imagenet1k.tsv
var imagenet1k string

var imagenet = sync.OnceValue(func() (names []string) {
	for line := range strings.Lines(imagenet1k) {
		_, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !ok {
			panic("labels: imagenet1k.tsv has the line " + line)
		}
		names = append(names, name)
	}
	return names
})

// Names returns the class names of a card's labels, in the order of the logits, or
// nil when they are not known here: "imagenet1k" and "cifar10" are.
func Names(of string) []string {
	switch of {
	case "imagenet1k":
		return imagenet()
	case "cifar10":
		return images.CIFARClasses()
	}
	return nil
}

// Name is the name of a class, or its number where names are not known.
func Name(of string, class int) string {
	if names := Names(of); class >= 0 && class < len(names) {
		return names[class]
	}
	return fmt.Sprintf("class %d", class)
}
