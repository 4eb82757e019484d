package zoo

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gomlx/compute/shapes"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
)

// headless deals with a classifier that only one of card and file has. Of a card without
// classes it leaves out the file's tensors of the classifier, and says so in a note. Of a file
// without a classifier it marks the error.
func headless(e *MismatchError, c *card.Card, build Builder, all map[string]*weights.Tensor, want map[string]shapes.Shape) (note string, rest map[string]*weights.Tensor) {
	with := 0
	if c.Classes == 0 {
		with = 1
	}
	other, err := withClasses(c, build, with)
	if err != nil {
		return "", all // such as a network that ends in an embedding
	}
	if c.Classes > 0 {
		head := slices.DeleteFunc(slices.Collect(maps.Keys(want)), func(path string) bool { _, ok := other[path]; return ok })
		slices.Sort(head)
		slices.Sort(e.missing)
		e.Headless = len(head) > 0 && len(e.missing) == len(e.Problems) && slices.Equal(head, e.missing)
		return "", all
	}
	var left []string
	for path := range other {
		if _, ok := want[path]; ok {
			continue
		}
		of := path[:strings.LastIndex(path, "/")+1] // the scope of the classifier's weights
		for key := range all {
			if strings.HasPrefix("/"+strings.ReplaceAll(key, ".", "/"), of) && !slices.Contains(left, key) {
				left = append(left, key)
			}
		}
	}
	if left == nil {
		return "", all
	}
	slices.Sort(left)
	return fmt.Sprintf("%s of the classifier left out: %s", counted(left), some(left)), without(all, func(key string) bool { return slices.Contains(left, key) })
}

// withClasses returns the variables that the model of a card has for another number of classes.
func withClasses(c *card.Card, build Builder, classes int) (map[string]shapes.Shape, error) {
	config, err := MergeConfig(c.Config, json.RawMessage(fmt.Sprintf(`{"classes":%d}`, classes)))
	if err != nil {
		return nil, err
	}
	forward, err := build(config)
	if err != nil {
		return nil, err
	}
	return Variables(c, forward)
}
