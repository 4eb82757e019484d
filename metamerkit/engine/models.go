package engine

import (
	"context"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// Models implements api.Engine.
func (e *Engine) Models(context.Context) ([]api.Model, error) {
	out, err := Models()
	held := e.heldBy()
	for i := range out {
		out[i].Held = held[out[i].Card.Name]
	}
	return out, err
}

// Models returns all known models, of which no engine holds any.
func Models() (out []api.Model, err error) {
	for _, n := range zoo.Names() {
		c, err := zoo.Lookup(n)
		if err != nil {
			return nil, err
		}
		m := api.Model{Card: c}
		if _, err := Locate(c); err != nil {
			m.Missing = err.Error()
		}
		out = append(out, m)
	}
	return out, nil
}
