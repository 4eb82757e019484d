package metamer

import "testing"

func TestTooFew(t *testing.T) {
	for name, over := range map[string]bool{"jsd": true, "jsd/pearson": true, "jsd-floor/cosine": true, "cka": true, "cka-debiased": true, "rsa-rank/pearson": true, "match/pearson": false, Recognizability: false, "success": false, "niqe": false} {
		if OverPairs(name) != over {
			t.Errorf("%s: %v", name, !over)
		}
	}
	if got := TooFew(4, MinImages); got != "measures over pairs of images need at least 16 images; this set has 4" {
		t.Error(got)
	}
	for _, c := range []struct {
		row  Row
		held bool
	}{
		{Row{Measure: JSD, Image: -1, Count: 4, Value: 1, Member: true}, true}, {Row{Measure: JSD, Image: -1, Count: 16}, false},
		{Row{Measure: "success", Image: -1, Count: 4}, false}, {Row{Measure: JSD, Image: -1}, false}, // NaN, with a reason of its own
	} {
		if (c.row.Withheld() != "") != c.held {
			t.Errorf("%+v: %q", c.row, c.row.Withheld())
		}
	}
}
