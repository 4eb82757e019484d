package zoo

import (
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/stage"
)

// Models that compute, mark or differentiate something else have other fingerprints, and a
// model has the same one each time.
func TestFingerprint(t *testing.T) {
	table := func(last float32) []float32 { // too long for a graph to keep otherwise
		out := make([]float32, 48)
		out[47] = last
		return out
	}
	was := MinConstValueSizeToKeep
	MinConstValueSizeToKeep = 1000
	defer func() { MinConstValueSizeToKeep = was }()
	forwards := map[string]Forward{
		"marked":       func(_ *model.Scope, x *Node) *Node { return stage.Mark(stage.ReLU(x), "a") },
		"marked b":     func(_ *model.Scope, x *Node) *Node { return stage.Mark(stage.ReLU(x), "b") },
		"marked ReLU":  func(_ *model.Scope, x *Node) *Node { return stage.MarkReLU(x, "a") },
		"marked early": func(_ *model.Scope, x *Node) *Node { return stage.ReLU(stage.Mark(x, "a")) },
		"more":         func(_ *model.Scope, x *Node) *Node { return Neg(stage.Mark(stage.ReLU(x), "a")) },
		"constants": func(_ *model.Scope, x *Node) *Node {
			return stage.Mark(Add(x, Reshape(Const(x.Graph(), table(1)), 1, 4, 4, 3)), "a")
		},
		"constants 2": func(_ *model.Scope, x *Node) *Node {
			return stage.Mark(Add(x, Reshape(Const(x.Graph(), table(2)), 1, 4, 4, 3)), "a")
		},
		"max": func(_ *model.Scope, x *Node) *Node {
			return stage.Mark(MaxPool(x).Window(3).Strides(1).PadSame().Done(), "a")
		},
		"max 2": func(_ *model.Scope, x *Node) *Node {
			return stage.Mark(MaxPool(x).Window(2).Strides(1).PadSame().Done(), "a")
		},
		"gradient": func(_ *model.Scope, x *Node) *Node {
			return stage.Mark(IdentityWithCustomGradient(x, func(_, v *Node) *Node { return MulScalar(v, 2) }), "a")
		},
		"gradient 2": func(_ *model.Scope, x *Node) *Node {
			return stage.Mark(IdentityWithCustomGradient(x, func(_, v *Node) *Node { return MulScalar(v, 3) }), "a")
		},
		"unmarked": func(_ *model.Scope, x *Node) *Node { return x },
	}
	seen := map[string]string{}
	for name, f := range forwards {
		c := &card.Card{Name: name, Input: card.Input{Size: 4, Std: [3]float64{1, 1, 1}}}
		first, err := Fingerprint(c, f)
		if err != nil {
			t.Fatal(name, err)
		}
		if other := seen[first]; other != "" {
			t.Errorf("%s and %s have one fingerprint", name, other)
		}
		seen[first] = name
		for range 3 {
			if again, err := Fingerprint(c, f); err != nil || again != first {
				t.Errorf("%s again: %s and %s, %v", name, again, first, err)
			}
		}
		c.Input.Mean = [3]float64{.5, .5, .5}
		if again, err := Fingerprint(c, f); err != nil || again == first {
			t.Errorf("%s with another mean has the same fingerprint (%v)", name, err)
		}
	}
	if _, err := Fingerprint(&card.Card{Name: "wrong", Input: card.Input{Size: 4, Std: [3]float64{1, 1, 1}}}, func(_ *model.Scope, x *Node) *Node { return Reshape(x, 5) }); err == nil {
		t.Error("a graph that cannot be drawn has a fingerprint")
	}
}
