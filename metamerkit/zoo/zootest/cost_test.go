package zootest

import (
	"encoding/json"
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
	_ "github.com/ensemble-metamers/metamers/metamerkit/zoo/all"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo/block"
)

func describe(t *testing.T, name string) ([]zoo.Layer, map[string]string) {
	t.Helper()
	c, err := zoo.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	forward, err := zoo.Build(c)
	if err != nil {
		t.Fatal(err)
	}
	layers, err := (&zoo.Net{Forward: forward}).Describe(c.Input)
	if err != nil {
		t.Fatal(err)
	}
	card := map[string]string{}
	for s, l := range c.Stages {
		card[s] = l.Layer
	}
	return layers, card
}

// Shares of ResNet-18's computation, from the multiplications of its convolutions at 224²
// (He et al. 2015, Table 1): the first 118 million, each residual stage 462, 411, 411 and 411.
func TestShares(t *testing.T) {
	layers, _ := describe(t, "resnet18")
	want := map[string]float64{"conv1_relu1": 118, "layer1": 118 + 462.4, "layer2": 118 + 462.4 + 411, "layer3": 118 + 462.4 + 2*411, "layer4": 118 + 462.4 + 3*411}
	seen := 0
	for _, l := range layers {
		if w, ok := want[l.Name]; ok {
			seen++
			if w /= 118 + 462.4 + 3*411 + .5; math.Abs(l.Share-w) > .004 {
				t.Errorf("%s needs %.3f of the computation, expected %.3f", l.Name, l.Share, w)
			}
		}
		if !l.Whole {
			t.Errorf("%s is not all that the output depends on", l.Name)
		}
	}
	if seen != len(want) {
		t.Errorf("layers %v", layers)
	}
}

// The proposals for a vision transformer and for ResNet-20 are those that their cards make.
func TestPropose(t *testing.T) {
	for _, name := range []string{"vit_tiny_patch16_224", "resnet20"} {
		layers, card := describe(t, name)
		got := zoo.Propose(layers)
		for s, l := range card {
			if got[s] != l {
				t.Errorf("%s: %s is %s, the card's is %s", name, s, got[s], l)
			}
		}
	}
}

// A layer inside a residual block is not all that the output depends on, and is not proposed.
func TestWhole(t *testing.T) {
	forward := func(s *model.Scope, x *Node) *Node {
		for i, name := range []string{"a", "b", "c"} {
			y := stage.Mark(block.Conv(block.At(s, "%s.1", name), x, 8, 3, 1, 1), name+".inside")
			if i == 0 {
				x = y
				continue
			}
			x = stage.Mark(Add(x, y), name)
		}
		x = stage.Mark(ReduceMean(x, 1, 2), "pool")
		return stage.Mark(stage.Mark(block.Linear(block.At(s, "fc"), x, 5), "fc"), "logits")
	}
	c, err := zoo.Lookup("resnet20")
	if err != nil {
		t.Fatal(err)
	}
	layers, err := (&zoo.Net{Forward: forward}).Describe(c.Input)
	if err != nil {
		t.Fatal(err)
	}
	whole := map[string]bool{"a.inside": true, "b": true, "c": true, "pool": true, "fc": true, "logits": true}
	for _, l := range layers {
		if l.Whole != whole[l.Name] {
			t.Errorf("%s: whole is %v", l.Name, l.Whole)
		}
	}
	got, err := json.Marshal(zoo.Propose(layers))
	if err != nil || string(got) != `{"early":"a.inside","late":"pool","middle":"b"}` {
		t.Errorf("proposed are %s (%v)", got, err)
	}
}

// Of a network that normalises pixels itself and has few layers, none before the first
// convolution is proposed.
func TestProposeLearned(t *testing.T) {
	forward := func(s *model.Scope, x *Node) *Node {
		x = stage.Mark(AddScalar(x, -.5), "sub")
		x = stage.Mark(MulScalar(x, 4), "div")
		x = stage.Mark(block.Conv(block.At(s, "conv"), x, 8, 3, 1, 1), "conv")
		x = stage.Mark(block.ReLU(x), "relu")
		x = stage.Mark(ReduceMean(x, 1, 2), "pool")
		return stage.Mark(block.Linear(block.At(s, "fc"), x, 5), "logits")
	}
	c, err := zoo.Lookup("resnet20")
	if err != nil {
		t.Fatal(err)
	}
	layers, err := (&zoo.Net{Forward: forward}).Describe(c.Input)
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range layers {
		if l.Learned != (i >= 2) {
			t.Errorf("%s: learned is %v", l.Name, l.Learned)
		}
	}
	got, err := json.Marshal(zoo.Propose(layers))
	if err != nil || string(got) != `{"early":"conv","late":"pool","middle":"conv"}` {
		t.Errorf("proposed are %s (%v)", got, err)
	}
}

// Whatever a family's settings are, an unknown one is refused with those that there are.
func TestSettings(t *testing.T) {
	families := map[string]bool{}
	for _, name := range zoo.Names() {
		c, err := zoo.Lookup(name)
		if err != nil || families[c.Family] || c.Family == "onnx" {
			continue
		}
		families[c.Family] = true
		all, err := zoo.Settings(c)
		if err != nil {
			t.Errorf("%s: %v", c.Family, err)
		}
		classes := false
		for _, s := range all {
			classes = classes || s.Name == "classes"
		}
		if !classes {
			t.Errorf("%s has no setting for the classes: %v", c.Family, all)
		}
	}
	if len(families) < 12 {
		t.Errorf("families %v", families)
	}
	merged, err := zoo.MergeConfig(json.RawMessage(`{"block":"basic","layers":[2,2,2,2]}`), json.RawMessage(`{"classes":7,"layers":[1,1,1,1]}`))
	if err != nil || string(merged) != `{"block":"basic","classes":7,"layers":[1,1,1,1]}` {
		t.Errorf("%s, %v", merged, err)
	}
}
