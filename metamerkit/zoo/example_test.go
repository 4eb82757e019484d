package zoo_test

import (
	"encoding/json"
	"fmt"
	"log"
	"maps"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo/block"
)

// A card says which layer stands for a stage.
func ExampleLookup() {
	c, err := zoo.Lookup("resnet20")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.Name, c.Input.Size, zoo.LayerOf(c, "middle"))
	_, err = zoo.Lookup("resnet21")
	fmt.Println(err)
	// Output:
	// resnet20_cifar10 32 layer2
	// unknown model "resnet21": did you mean resnet20 or resnet26 or resnet2b?
}

func init() { zoo.RegisterPyTorch("tiny", newTiny) }

func newTiny(config json.RawMessage) (zoo.Forward, error) {
	c := struct {
		Classes int `json:"classes"`
	}{Classes: 10}
	if err := zoo.Config(config, &c); err != nil {
		return nil, err
	}
	return func(s *model.Scope, x *Node) *Node { // x [B,32,32,3]
		x = stage.MarkReLU(block.Conv(block.At(s, "features.0"), x, 8, 3, 2, 1), "features") // [B,16,16,8]
		x = stage.Mark(ReduceMean(x, 1, 2), "pool")                                          // [B,8]
		return zoo.Head(block.At(s, "fc"), x, c.Classes)                                     // [B,10]
	}, nil
}

// A family is a function from images to logits that marks its layers. Variables have
// the names of the PyTorch state dict, with "/" for ".".
func ExampleRegisterPyTorch() {
	c := &card.Card{Name: "tiny10", Family: "tiny", Input: card.Input{Size: 32}}
	forward, err := zoo.Build(c)
	if err != nil {
		log.Fatal(err)
	}
	variables, err := zoo.Variables(c, forward)
	if err != nil {
		log.Fatal(err)
	}
	for _, path := range slices.Sorted(maps.Keys(variables)) {
		fmt.Println(path, variables[path].Dimensions)
	}
	// Output:
	// /fc/bias [10]
	// /fc/weight [8 10]
	// /features/0/bias [8]
	// /features/0/weight [3 3 3 8]
}
