package stage_test

import (
	"slices"
	"testing"

	"github.com/gomlx/compute/gobackend"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ensemble-metamers/metamers/metamerkit/stage"
)

func TestWanted(t *testing.T) {
	b, err := gobackend.New("")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Finalize()
	g := NewGraph(b, "wanted")
	check := func(want []string, capturing bool) {
		t.Helper()
		if got, c := stage.Wanted(g); !slices.Equal(got, want) || c != capturing {
			t.Errorf("Wanted = %q, %v, expected %q, %v", got, c, want, capturing)
		}
	}
	check(nil, false)
	x := Const(g, []float32{1, 2})
	stage.Capture(g, stage.Options{}, func() {
		check([]string{"late", "early"}, true)
		stage.Mark(x, "early")
		check([]string{"late", "early"}, true)
		stage.Mark(x, "late")
		t.Error("the forward pass went on behind the last wanted layer")
	}, "late", "early", "late")
	check(nil, false)
	stage.List(g, func() { check(nil, true) })
	check(nil, false)
}
