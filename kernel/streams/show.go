package streams

import (
	"fmt"

	"github.com/ensemble-metamers/metamers/kernel/session"
	"github.com/ensemble-metamers/metamers/metamerkit/display/channel"
)

// Show does what a message of a cell's program asks of an output.
func Show(out session.Output, m channel.Message) (text string, err error) {
	data := make(map[string]any, len(m.Data))
	for kind, content := range m.Data {
		data[kind] = content
	}
	b := session.Bundle{Data: data, Metadata: m.Metadata}
	if m.DisplayID != "" {
		b.Transient = map[string]any{"display_id": m.DisplayID}
	}
	switch m.Kind {
	case channel.Display:
		out.Display(b)
	case channel.Update:
		out.Update(b)
	case channel.Result:
		out.Result(b)
	case channel.Clear:
		out.Clear(m.Wait)
	case channel.Page:
		out.Page(m.Data)
	case channel.Input:
		return out.Input(m.Text, m.Password)
	default:
		return "", fmt.Errorf("the kernel knows no message %q (is the program older or newer than the kernel?)", m.Kind)
	}
	return "", nil
}
