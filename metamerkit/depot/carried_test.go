package depot

import (
	"os"
	"testing"
	"testing/fstest"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
)

func TestCarriedWeightsAreUnpackedOnce(t *testing.T) {
	t.Setenv("METAMERS_CACHE", t.TempDir())
	t.Setenv("METAMERS_DATA", "")
	before := carried
	t.Cleanup(func() { carried = before })
	Carry(fstest.MapFS{"m.safetensors": {Data: []byte("weights")}})
	c := &card.Card{Name: "m", Weights: card.Weights{File: "m.safetensors", SHA256: "0123456789abcdef"}}
	f, err := Locate(c)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(f.Path); err != nil || string(data) != "weights" || f.Want != c.Weights.SHA256 {
		t.Errorf("%s holds %q (%v), to be held to %s", f.Path, data, err, f.Want)
	}
	// What was torn is written again; what is whole stays.
	if err := os.WriteFile(f.Path, []byte("wei"), 0o644); err != nil {
		t.Fatal(err)
	}
	if f, err = Locate(c); err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(f.Path); string(data) != "weights" {
		t.Errorf("a torn file is left as %q", data)
	}
	if _, err := Locate(&card.Card{Name: "n", Weights: card.Weights{File: "n.safetensors", SHA256: "0123456789abcdef"}}); err == nil {
		t.Error("a file that is nowhere was located")
	}
}
