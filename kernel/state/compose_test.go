package state

import (
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/kernel/cell"
)

type broken struct{}

func (broken) Export(string) (string, error) { panic("no exports") }

// A mistake of the kernel or of the type checker fails the cell.
func TestMistake(t *testing.T) {
	_, _, _, err := New(broken{}).Compose(cell.Parse("import \"os\"\nos.Exit(1)"), "a")
	if err == nil || !strings.Contains(err.Error(), "a mistake that keeps it from running this cell; the session goes on: no exports") {
		t.Errorf("error %v", err)
	}
}
