package main

import (
	"math"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// A row without an observer is of the image alone or, of a run against other models, of all
// of these together.
func TestRowsTableHeads(t *testing.T) {
	row := func(measure, observer string, value float64) metamer.Row {
		return metamer.Row{Run: "0123456789abcdef", Set: "a", Stage: "late", Image: -1, Measure: measure, Observer: observer, Value: value, Low: math.NaN(), High: math.NaN()}
	}
	var out strings.Builder
	if err := rowsTable(&out, metamer.Rows{row("apart", "", .5), row("apart", "b", .75), row("ssim", "", .25)}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"apart\n  run       model set  stage  all other models  b\n  01234567  a          late   0.50              0.75\n", "ssim\n  run       model set  stage  image\n  01234567  a          late   0.25\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("got\n%s\nwant within it\n%s", out.String(), want)
		}
	}
}
