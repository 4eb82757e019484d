package engine

import (
	"context"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// Models implements api.Engine.
func (e *Engine) Models(context.Context) ([]api.Model, error) {
	var out []api.Model
	held := e.heldBy()
	for _, n := range zoo.Names() {
		c, err := zoo.Lookup(n)
		if err != nil {
			return nil, err
		}
		m := api.Model{Card: c, Held: held[c.Name]}
		if _, err := Locate(c); err != nil {
			m.Missing = err.Error()
		}
		out = append(out, m)
	}
	return out, nil
}
