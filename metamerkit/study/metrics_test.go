package study

import (
	"cmp"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/figures"
	"github.com/ensemble-metamers/metamers/metamerkit/imgmetrics"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
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
		if got := cmp.Or(m.Better, metamer.Neither); got != is.Better || is.Unit != m.Unit {
			t.Errorf("%s: figures say %v in %q, the metric %v in %q", m.Name, got, m.Unit, is.Better, is.Unit)
		}
	}
}
