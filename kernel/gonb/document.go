package gonb

import (
	"context"
	"regexp"
	"time"

	"github.com/ensemble-metamers/metamers/kernel/session"
)

// asked matches a cell that asks for documentation: "name?" or "?name".
var asked = regexp.MustCompile(`^\s*(?:\?+([\pL_][\pL\d_.]*)|([\pL_][\pL\d_.]*)\?+)\s*$`)

// documentTime is how long a language server that is still loading is waited for. It takes
// a second or two, and long on a busy machine.
const documentTime = 2 * time.Minute

// document shows the documentation of a name.
func (in *Interpreter) document(ctx context.Context, name string, out session.Output) *session.Failure {
	found := make(chan map[string]any, 1)
	go func() { found <- in.Inspect(name, len([]rune(name)), 0, documentTime) }()
	select {
	case <-ctx.Done():
		return interrupted()
	case data := <-found:
		if len(data) == 0 {
			return &session.Failure{Name: "NotFound", Value: "nothing is known of " + name}
		}
		out.Display(session.Bundle{Data: data})
		return nil
	}
}
