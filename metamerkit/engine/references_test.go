package engine

import (
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// References whose pixels are others now are an error that says both sums and what to do.
func TestReferencesWithOtherPixels(t *testing.T) {
	run := &metamer.Run{ID: "0123456789abcdef", Recipe: metamer.Recipe{Images: metamer.ImageRef{Name: "photos:2", Count: 2, Size: 32, SHA256: strings.Repeat("ab", 32)}}}
	_, err := References(run)
	if err == nil {
		t.Fatal("other pixels are taken for the references")
	}
	for _, want := range []string{`"photos:2"`, run.ID, "abababababab…", "an earlier version of this program", "make the run again"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}
