package gonb

import (
	"regexp"
	"time"

	"github.com/ensemble-metamers/metamers/kernel/session"
)

// asked matches a cell that asks for documentation: "name?" or "?name".
var asked = regexp.MustCompile(`^\s*(?:\?+([\pL_][\pL\d_.]*)|([\pL_][\pL\d_.]*)\?+)\s*$`)

// documentTime is how long a language server that is still loading is waited for.
const documentTime = 20 * time.Second

// document shows the documentation of a name.
func (in *Interpreter) document(name string, out session.Output) *session.Failure {
	data := in.Inspect(name, len([]rune(name)), 0, documentTime)
	if len(data) == 0 {
		return &session.Failure{Name: "NotFound", Value: "nothing is known of " + name}
	}
	out.Display(session.Bundle{Data: data})
	return nil
}
