package engine

import (
	"context"

	"github.com/ensemble-metamers/metamers/metamerkit/ask"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// Models implements ask.Engine.
func (e *Engine) Models(context.Context) ([]ask.Model, error) {
	var out []ask.Model
	held := e.heldBy()
	for _, n := range zoo.Names() {
		c, err := zoo.Lookup(n)
		if err != nil {
			return nil, err
		}
		m := ask.Model{Card: c, Held: held[c.Name]}
		if _, err := Locate(c); err != nil {
			m.Missing = err.Error()
		}
		out = append(out, m)
	}
	return out, nil
}
