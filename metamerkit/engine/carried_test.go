package engine

import (
	"io/fs"
	"math"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
	"github.com/ensemble-metamers/metamers/models/trained"
)

// The carried models are as accurate as their cards say: on the first 500 test images
// within four standard deviations of the share of all 10,000. All together they take
// 25 MB at most, and each weight file has a card.
func TestCarried(t *testing.T) {
	set := cifar(t, "cifar10:500")
	e := New(backendtest.Open(t, backend.XLA))
	files, err := fs.ReadDir(trained.Files, ".")
	if err != nil {
		t.Fatal(err)
	}
	var bytes int64
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		bytes += info.Size()
		name := strings.TrimSuffix(f.Name(), ".safetensors")
		c, err := zoo.Lookup(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if c.Trained == nil || len(c.Measured) < 2 || c.Measured[0].Images != 10000 || c.Measured[1].Attack == "" || c.Measured[1].Images < 1000 {
			t.Errorf("the card of %s lacks how it was trained, or accuracies clean and under attack: %+v %+v", name, c.Trained, c.Measured)
			continue
		}
		got, err := e.Accuracy(name, set)
		if err != nil {
			t.Fatal(err)
		}
		want := c.Measured[0].Accuracy / 100
		t.Logf("%s: %.1f %% of %d, the card says %.2f %% of 10000", name, 100*got, set.Len(), 100*want)
		if off := math.Abs(got - want); off > 4*math.Sqrt(want*(1-want)/float64(set.Len())) {
			t.Errorf("%s: %.1f %% of %d images are right, the card says %.2f %%", name, 100*got, set.Len(), 100*want)
		}
	}
	if bytes > 25e6 {
		t.Errorf("the carried weights take %d bytes, expected at most 25 MB", bytes)
	}
}
