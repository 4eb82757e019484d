package evaluate

import (
	"math"
	"slices"
	"testing"
)

// Clusters are SciPy's: linkage(x, method="average") and leaves_list of the 15 distances x of
// six things in the order of squareform.
func TestLinkage(t *testing.T) {
	x := []float64{.62, .11, .93, .41, .77, .28, .35, .84, .59, .16, .72, .47, .05, .66, .39}
	d := make([][]float64, 6)
	for i := range d {
		d[i] = make([]float64, 6)
	}
	k := 0
	for i := range 6 {
		for j := i + 1; j < 6; j++ {
			d[i][j], d[j][i] = x[k], x[k]
			k++
		}
	}
	want := []Merge{{3, 4, .05, 2}, {0, 2, .11, 2}, {1, 7, .45, 3}, {5, 6, .525, 3}, {8, 9, .5822222222222222, 6}}
	got := Linkage(d)
	for i, m := range got {
		if m.A != want[i].A || m.B != want[i].B || m.Size != want[i].Size || math.Abs(m.Height-want[i].Height) > 1e-12 {
			t.Errorf("merge %d is %+v, SciPy has %+v", i, m, want[i])
		}
	}
	if order := Leaves(got); len(got) != 5 || !slices.Equal(order, []int{1, 0, 2, 5, 3, 4}) {
		t.Errorf("%d merges, leaves %v", len(got), order)
	}
	if order := Leaves(Linkage([][]float64{{0}})); !slices.Equal(order, []int{0}) {
		t.Errorf("one thing: leaves %v", order)
	}
}
