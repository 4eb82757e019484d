// Package zoo is the registry of image-recognition models: families as graph
// functions, and cards that turn a family into a model with weights.
package zoo

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/models"
)

// Forward builds a model's graph. The images are float32 [B,H,W,3] of the card's size,
// normalised; the result is the logits [B,classes]. Forward marks its layers with
// stage.Mark and panics on a wrong shape, as graph code does.
type Forward func(s *model.Scope, images *Node) *Node

// Net is a family set up for one card, with weights.
type Net struct {
	Forward Forward
	// Weights holds a tensor for each variable of Forward, by scope path
	// ("/layer1/0/conv1/weight").
	Weights map[string]*tensors.Tensor
	Names   map[string]string // by scope path: the name in the file, if it is not the path with dots
	SHA256  string            // of the file and of all else that identifies the model, see Sum
	Notes   []string          // sentences that say how names in the file were changed
	Key     Key               // of the net in caches; set by the caller of Open

	// Derived holds values that graphs compute from Weights alone. It is nil if they compute
	// them in every run: because weights change or are in bfloat16 to stay small, or because
	// Forward does not read them with package block.
	Derived *Derived

	half  bool // Forward reads its variables by block.Weight
	mixed bool // Forward computes in bfloat16, see Mixed
}

// Key distinguishes opened nets.
type Key struct {
	Model, Precision string
	Card             [sha256.Size]byte // SHA-256 of all that the model's card says
	Classes          [sha256.Size]byte // of the class embeddings of a zero-shot net, else zero
}

// Bytes returns the memory of the weights and of the values derived from them.
func (n *Net) Bytes() (sum int) {
	sum = n.Derived.Bytes()
	for _, t := range n.Weights {
		sum += t.Shape().Size() * t.DType().Size()
	}
	return sum
}

// Opener sets up a family for a card with the weights of the file at path.
type Opener func(c *card.Card, path string) (*Net, error)

var (
	mu       sync.RWMutex
	families = map[string]Opener{}
	builders = map[string]Builder{}
	summers  = map[string]Summer{}
	cards    map[string]*card.Card // by name
	aliases  map[string]string
)

// RegisterFamily adds a family. It panics if the name is empty or taken.
func RegisterFamily(name string, open Opener) {
	mu.Lock()
	defer mu.Unlock()
	if name == "" || open == nil {
		panic("zoo: RegisterFamily without a name or an opener")
	}
	if _, dup := families[name]; dup {
		panic("zoo: RegisterFamily called twice for " + name)
	}
	families[name] = open
}

// Summer returns the SHA-256 that identifies a model of a family (Net.SHA256), from the
// file at path. The function sum returns the SHA-256 of one file.
type Summer func(path string, sum func(path string) (string, error)) (string, error)

// RegisterSum adds the Summer of a family whose models are more than one file with weights.
func RegisterSum(family string, s Summer) {
	mu.Lock()
	defer mu.Unlock()
	summers[family] = s
}

// Sum returns the value that Net.SHA256 has for the card's model at path, without opening
// the model.
func Sum(c *card.Card, path string, sum func(path string) (string, error)) (string, error) {
	mu.RLock()
	s := summers[c.Family]
	mu.RUnlock()
	if s == nil {
		return sum(path)
	}
	return s(path, sum)
}

// Families returns the names of the registered families, sorted.
func Families() []string {
	mu.RLock()
	defer mu.RUnlock()
	return slices.Sorted(maps.Keys(families))
}

// Builder returns a family's graph function for a card's config.
type Builder func(config json.RawMessage) (Forward, error)

// RegisterPyTorch adds a family whose weights are a PyTorch state dict (see PyTorch). It
// panics if the name is empty or taken.
func RegisterPyTorch(name string, build Builder, adapt ...Adapt) {
	RegisterFamily(name, PyTorch(build, adapt...))
	mu.Lock()
	defer mu.Unlock()
	builders[name] = build
}

// Build returns a card's graph function without weights. It is an error for families whose
// graph is in the weight file, such as onnx.
func Build(c *card.Card) (Forward, error) {
	mu.RLock()
	build, ok := builders[c.Family]
	known := slices.Sorted(maps.Keys(builders))
	mu.RUnlock()
	if !ok {
		return nil, fmt.Errorf("zoo: model %s: %w", c.Name, metamer.Unknown("family with a graph of its own", c.Family, known))
	}
	forward, err := build(c.Config)
	if err != nil {
		return nil, fmt.Errorf("zoo: model %s: %w", c.Name, err)
	}
	return forward, nil
}

// load reads the embedded cards once.
var load = sync.OnceFunc(func() {
	cards, aliases = map[string]*card.Card{}, map[string]string{}
	files, err := fs.Glob(models.Cards, "*/*.json")
	if err != nil {
		panic("zoo: " + err.Error())
	}
	for _, f := range files {
		data, err := models.Cards.ReadFile(f)
		if err != nil {
			panic("zoo: " + err.Error())
		}
		c, err := card.Parse(data)
		if err != nil {
			panic("zoo: models/" + f + ": " + err.Error())
		}
		if c.Weights.Path != "" {
			panic("zoo: models/" + f + " says where the file lies on one machine")
		}
		if f != c.Family+"/"+c.Name+".json" {
			panic("zoo: models/" + f + " holds the card of " + c.Name)
		}
		for _, n := range append([]string{c.Name}, c.Aliases...) {
			if other, dup := aliases[n]; dup {
				panic("zoo: the name " + n + " belongs to " + other + " and " + c.Name)
			}
			aliases[n] = c.Name
		}
		cards[c.Name] = c
	}
})

// Names returns the names of all models, sorted: the built-in ones and those that users of
// this machine added.
func Names() []string {
	load()
	out := slices.Collect(maps.Keys(cards))
	users, _ := userCards() // Lookup reports what is wrong
	for name, c := range users {
		if name == c.Name {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// Lookup returns the card of the model with this name or alias. An unknown name is a
// *metamer.UnknownError with the nearest names. A user's card with the name of a built-in
// one is an error.
func Lookup(name string) (*card.Card, error) {
	load()
	users, err := userCards()
	if full, ok := aliases[name]; ok {
		if users[name] != nil || err != nil && strings.Contains(err.Error(), "the name "+name+" ") {
			return nil, fmt.Errorf("zoo: model %s: %w", name, err)
		}
		return cards[full], nil
	}
	if c := users[name]; c != nil {
		return c, nil
	}
	unknown := metamer.Unknown("model", name, append(slices.Sorted(maps.Keys(aliases)), slices.Sorted(maps.Keys(users))...))
	if err != nil { // it may be the one that cannot be read
		return nil, fmt.Errorf("%w (and a card of yours is bad: %w)", unknown, err)
	}
	return nil, unknown
}

// Open sets up the card's family with the weights at path. The errors include
// *MismatchError, *NotFiniteError and *SettingError.
func Open(c *card.Card, path string) (*Net, error) {
	mu.RLock()
	open, ok := families[c.Family]
	known := slices.Sorted(maps.Keys(families))
	mu.RUnlock()
	if !ok {
		return nil, fmt.Errorf("zoo: model %s: %w", c.Name, metamer.Unknown("family", c.Family, known))
	}
	net, err := open(c, path)
	if err == nil {
		err = net.numbers(path)
	}
	if err != nil {
		return nil, fmt.Errorf("zoo: model %s: %w", c.Name, err)
	}
	return net, nil
}

// LayerOf returns the layer of a stage (early, middle, late) by the card. Any other name is
// returned unchanged, so that a layer can be named directly.
func LayerOf(c *card.Card, stage string) string {
	if l, ok := c.Stages[stage]; ok {
		return l.Layer
	}
	return stage
}
