package synth

import (
	"context"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// switching takes steps of one member at a time: the schedule switch.
type switching struct {
	r     metamer.Recipe
	cfg   Config
	units []*Unit // of each member
}

func newSwitching(ctx context.Context, c Compiler, r metamer.Recipe, cfg Config, members []TappedModel) (*switching, error) {
	w := &switching{r: r, cfg: cfg}
	for _, s := range members {
		u, err := compiled(ctx, c, key("unit", s, cfg), func() (*Unit, error) { return newUnit(c.Backend, s, cfg, false) })
		if err != nil {
			return nil, err
		}
		w.units = append(w.units, u)
	}
	return w, nil
}

func (w *switching) Begin(_ int, refs, images []float32, slots [][]float32) (*State, error) {
	return begin(w.cfg, 1, w.units, refs, images, slots)
}

// Take takes the steps up to the next switch.
func (w *switching) Take(ctx context.Context, st *State, step int, moving []bool) (int, []Losses, error) {
	m, n := active(w.r.Schedule, w.r.Seed, len(w.units), step)
	n = min(n, w.r.Steps-step)
	var coefs []Coefficients
	for i := range n {
		coefs = append(coefs, coefficients(w.r, w.cfg.Size, step+i))
	}
	rows, err := w.units[m].Steps(ctx, st, moving, coefs, st.targets[m])
	var out []Losses
	for i, row := range rows { // of a call that was cancelled some steps are taken
		out = append(out, Losses{step + i, m, row})
	}
	if bad := finite(out, moving, w.r, w.r.Stage); bad != nil {
		err = bad
	}
	return len(rows), out, err
}
