package synth

import (
	"context"
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Descent is the compiled step of lbfgs for a number of members (cfg.Members): it
// lowers the mean of their objectives. It knows no model, so any set of that many
// members uses it.
type Descent struct {
	reader
	g *Graph
}

// NewDescent compiles the step.
func NewDescent(b compute.Backend, cfg Config) (*Descent, error) {
	d := &Descent{reader: reader{Name: "lbfgs", cfg: cfg, backend: b}}
	err := exceptions.TryCatch[error](func() {
		g := NewGraph(b, "lbfgs step")
		x, slot := d.stateParameters(g, "")
		active := Parameter(g, "active", shapes.Make(dtypes.Bool, cfg.Batch))
		coef := Parameter(g, "coef", shapes.Make(dtypes.Float32, numCoefficients))
		perImage := shapes.Make(dtypes.Float32, cfg.Batch)
		var losses []*Node
		var value, grad *Node
		for i := range cfg.Members {
			losses = append(losses, Parameter(g, fmt.Sprintf("loss%d", i), perImage))
			v, gr := Parameter(g, fmt.Sprintf("value%d", i), perImage), Parameter(g, fmt.Sprintf("gradient%d", i), d.imageShape())
			if value == nil {
				value, grad = v, gr
			} else {
				value, grad = Add(value, v), Add(grad, gr)
			}
		}
		share := 1 / float64(cfg.Members)
		x, slot = descend(cfg.Optimizer, x, slot, active, coef, Stack(losses, 1), MulScalar(value, share), MulScalar(grad, share))
		compile(g, append([]*Node{x}, slot...)...)
		d.g = g
	})
	if err != nil {
		return nil, fmt.Errorf("synth: compiling the step of lbfgs: %w", err)
	}
	return d, nil
}

// step evaluates the trial of every image by all members and takes one step, all on
// the device. It returns the members' losses [M][B] at the best images so far, those
// that st then holds.
func (d *Descent) step(ctx context.Context, objectives []*Objective, st *State, active []bool, coef [numCoefficients]float32, targets []*tensors.Tensor) (losses [][]float32, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err = exceptions.TryCatch[error](func() {
		var seen []any
		for i, o := range objectives {
			for _, t := range o.at(st.Slots[slotTrial], targets[i]) {
				seen = append(seen, t)
			}
		}
		in := append(d.donate(st), active, coef[:])
		out := d.g.Run(append(in, seen...)...)
		for _, t := range seen {
			t.(*tensors.Tensor).MustFinalizeAll()
		}
		st.Images, st.Slots = out[0], out[1:]
		flat := tensors.MustCopyFlatData[float32](st.Slots[slotLosses]) // [B,M]
		for m := range d.cfg.Members {
			row := make([]float32, d.cfg.Batch)
			for b := range row {
				row[b] = flat[b*d.cfg.Members+m]
			}
			losses = append(losses, row)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("synth: a step of lbfgs: %w", err)
	}
	return losses, nil
}

// anew forgets all but the best images: another objective begins there. Where it is the
// same but for rounding the pairs of moves and turns stay.
func (d *Descent) anew(st *State, same bool) error {
	images, err := tensors.CopyFlatData[float32](st.Images)
	if err != nil {
		return fmt.Errorf("synth: images between two stages: %w", err)
	}
	next := d.NewState(images)
	if same {
		next.Slots[slotMoves], next.Slots[slotTurns] = st.Slots[slotMoves], st.Slots[slotTurns]
	}
	*st = *next
	return nil
}
