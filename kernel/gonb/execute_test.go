package gonb

import (
	"encoding/json"
	"testing"

	"github.com/ensemble-metamers/metamers/kernel/session"
	"github.com/ensemble-metamers/metamers/kernel/wire"
)

// printed keeps what goes to the streams.
type printed struct {
	session.Output
	text string
}

func (p *printed) Stream(name, text string) { p.text += text }

// How an interrupted shell command ended is not printed, whether GoNB had heard of the
// interrupt by then or not.
func TestEndOfShell(t *testing.T) {
	for _, x := range []struct {
		text        string
		interrupted bool
		want        string
	}{
		{"^C\nsignal: interrupt\n", true, ""},
		{"signal: interrupt\n", true, ""},
		{"signal: quit (core dumped)\n", true, ""},
		{"exit status 130\n", true, ""},
		{"signal: interrupt of something\nelse\n", true, "signal: interrupt of something\nelse\n"},
		{"exit status 130\n", false, "exit status 130\n"},
	} {
		out := &printed{}
		e := &execution{out: out, interrupted: x.interrupted}
		content, err := json.Marshal(map[string]string{"name": "stderr", "text": x.text})
		if err != nil {
			t.Fatal(err)
		}
		e.published(&wire.Message{Header: wire.Header{Type: "stream"}, Content: content})
		if out.text != x.want {
			t.Errorf("%q, interrupted %v: printed %q, want %q", x.text, x.interrupted, out.text, x.want)
		}
	}
}
