package synth

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Update is the compiled step of an optimiser from the gradients of several models: it
// follows their mean. It knows no model, so any set of that many members uses it.
type Update struct {
	reader
	g *Graph
}

// newUpdate compiles the step for a number of members.
func newUpdate(b compute.Backend, cfg Config, members int) (*Update, error) {
	u := &Update{reader: reader{Name: cfg.Optimizer.Name, cfg: cfg, backend: b}}
	err := exceptions.TryCatch[error](func() {
		g := NewGraph(b, cfg.Optimizer.Name+" step")
		s := Situation{Optimizer: cfg.Optimizer}
		s.Images, s.State = u.stateParameters(g, "", members)
		s.Active = Parameter(g, "active", shapes.Make(dtypes.Bool, cfg.Batch))
		s.Coefficients = Parameter(g, "coef", shapes.Make(dtypes.Float32, numCoefficients))
		perImage := shapes.Make(dtypes.Float32, cfg.Batch)
		searches := cfg.searcher() != nil
		sum := func(all, one *Node) *Node {
			if all == nil {
				return one
			}
			return Add(all, one)
		}
		var losses []*Node
		for i := range members {
			if searches {
				losses = append(losses, Parameter(g, fmt.Sprintf("loss%d", i), perImage))
				s.Value = sum(s.Value, Parameter(g, fmt.Sprintf("value%d", i), perImage))
			}
			s.Gradient = sum(s.Gradient, Parameter(g, fmt.Sprintf("gradient%d", i), u.imageShape()))
		}
		share := 1 / float64(members)
		if searches {
			s.Losses, s.Value = Stack(losses, 1), MulScalar(s.Value, share)
		}
		s.Gradient = MulScalar(s.Gradient, share)
		x, slot := solver(cfg.Optimizer.Name).Step(s)
		compile(g, append([]*Node{x}, slot...)...)
		u.g = g
	})
	if err != nil {
		return nil, fmt.Errorf("synth: compiling the step of %s: %w", cfg.Optimizer.Name, err)
	}
	return u, nil
}

// step takes one step from what the members gave (Gradients.at), which it lets go of.
func (u *Update) step(st *State, active []bool, coef Coefficients, seen []*tensors.Tensor) error {
	err := exceptions.TryCatch[error](func() {
		in := append(u.donate(st), active, coef[:])
		for _, t := range seen {
			in = append(in, t)
		}
		out := u.g.Run(in...)
		st.Images, st.Slots = out[0], out[1:]
		for _, t := range seen {
			t.MustFinalizeAll()
		}
	})
	if err != nil {
		return fmt.Errorf("synth: a step of %s: %w", u.Name, err)
	}
	return nil
}
