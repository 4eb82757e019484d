package train

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// Architecture is a model without weights: a family of the zoo with a config, the
// stages, and settings that it trains well with.
type Architecture struct {
	Name   string                `json:"name"`
	Title  string                `json:"title"`
	Kind   string                `json:"kind"` // cnn | transformer
	Family string                `json:"family"`
	Config json.RawMessage       `json:"config"`
	Size   int                   `json:"size,omitempty"` // pixels a side that the model resizes to; 0: those of the images
	Paper  string                `json:"paper,omitempty"`
	Stages map[string]card.Layer `json:"stages"`
	Recipe Options               `json:"recipe"` // what a training sets where the caller does not
}

//go:embed architectures.json
var architecturesJSON []byte

// Architectures returns those that the project's own set is made of.
var Architectures = sync.OnceValue(func() []Architecture {
	var out []Architecture
	if err := json.Unmarshal(architecturesJSON, &out); err != nil {
		panic("train: architectures.json: " + err.Error())
	}
	return out
})

// FindArchitecture returns one of Architectures by name, that of a model of the zoo,
// or the one in a JSON file (a name that ends in .json).
func FindArchitecture(name string) (a Architecture, err error) {
	if strings.HasSuffix(name, ".json") {
		data, err := paths.ReadText(name)
		if err != nil {
			return a, fmt.Errorf("train: %w", err)
		}
		if err := json.Unmarshal(data, &a); err != nil {
			return a, fmt.Errorf("train: %s: %w", name, err)
		}
		if a.Name == "" || a.Family == "" {
			return a, fmt.Errorf("train: %s: name is %q and family %q, expected both", name, a.Name, a.Family)
		}
		return a, nil
	}
	var known []string
	for _, a := range Architectures() {
		if a.Name == name {
			return a, nil
		}
		known = append(known, a.Name)
	}
	if c, err := zoo.Lookup(name); err == nil {
		return Architecture{Name: c.Name, Title: c.Title, Kind: c.Kind, Family: c.Family, Config: c.Config, Paper: c.Paper, Stages: c.Stages}, nil
	}
	known = append(known, zoo.Names()...)
	slices.Sort(known)
	return a, metamer.Unknown("architecture", name, known)
}

// Statistics of CIFAR-10's training pixels, by which models are normalised.
var (
	cifarMean = [3]float64{0.4914, 0.4822, 0.4465}
	cifarStd  = [3]float64{0.2471, 0.2435, 0.2616}
)

// Card returns a card for the architecture, without weights, for images of a side
// and so many classes (labels names them). A config with the key "classes" gets
// that number.
func (a Architecture) Card(name string, side, classes int, labels string) (*card.Card, error) {
	config := map[string]any{}
	if len(a.Config) > 0 {
		if err := json.Unmarshal(a.Config, &config); err != nil {
			return nil, fmt.Errorf("train: config of %s: %w", a.Name, err)
		}
	}
	if _, ok := config["classes"]; ok {
		config["classes"] = classes
	}
	if a.Size > 0 {
		side = a.Size
	}
	text, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("train: config of %s: %w", a.Name, err)
	}
	return &card.Card{
		Name: name, Title: a.Title, Kind: a.Kind, Family: a.Family, Config: text, Paper: a.Paper, Stages: a.Stages,
		Classes: classes, Labels: labels, Input: card.Input{Size: side, Mean: cifarMean, Std: cifarStd},
	}, nil
}
