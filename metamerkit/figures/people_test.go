package figures

import (
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Rows of people give Figure 3 a curve and Table 5 a column; without them both are as before.
func TestPeople(t *testing.T) {
	row := func(observer string, v float64) metamer.Row {
		return metamer.Row{Set: "a", Stage: "late", Observer: observer, Image: -1, Measure: metamer.Recognizability, Value: v, Low: v - .1, High: v + .1}
	}
	s := &Study{Rows: metamer.Rows{row(metamer.Members, .8), row(metamer.NonMembers, .4)}}
	before := &panel{}
	before.add(s, []string{"a"}, []string{"late"})
	f, err := Recognizability(s)
	if err != nil || strings.Contains(f.Caption, "People") || len(before.lines) != 2 {
		t.Fatalf("%v, %d lines", err, len(before.lines))
	}
	s = &Study{Rows: append(s.Rows, row(metamer.People, .3))}
	after := &panel{}
	after.add(s, []string{"a"}, []string{"late"})
	if f, err = Recognizability(s); err != nil || !strings.Contains(f.Caption, "People are dotted") {
		t.Errorf("caption %q, %v", f.Caption, err)
	}
	if len(after.lines) != 3 || !after.lines[2].dots || after.lines[2].points[0].Y != .3 || after.lines[2].label != "" {
		t.Errorf("%d lines", len(after.lines))
	}
	table := Numbers(s, nil)
	if n := len(table.Columns); table.Columns[n-1].Head != "people ↑" || table.Rows[0][n-1] != "0.300 (0.200–0.400)" {
		t.Errorf("%v: %v", table.Columns, table.Rows)
	}
}
