package study

import (
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/figures"
	"github.com/ensemble-metamers/metamers/metamerkit/imgmetrics"
)

// What figures say of a metric is what the metric says of itself.
func TestMetricsAsMeasured(t *testing.T) {
	for _, m := range figures.Metrics {
		found, err := imgmetrics.Lookup(m.Name)
		if err != nil {
			t.Error(err)
			continue
		}
		is := found[0]
		if got := map[imgmetrics.Direction]figures.Direction{imgmetrics.Neither: figures.Neither, imgmetrics.Higher: figures.Higher, imgmetrics.Lower: figures.Lower}[is.Better]; got != m.Better || is.Unit != m.Unit {
			t.Errorf("%s: figures say %v in %q, the metric %v in %q", m.Name, m.Better, m.Unit, got, is.Unit)
		}
	}
}
