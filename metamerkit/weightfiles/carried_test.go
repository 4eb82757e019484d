package weightfiles

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
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
	if p, err := Pull(t.Context(), c, Options{}); err != nil || p.Path != f.Path || !p.Carried || p.Size != int64(len("weights")) {
		t.Errorf("pulled: %+v, %v", p, err)
	}
	if _, err := Locate(&card.Card{Name: "n", Weights: card.Weights{File: "n.safetensors", SHA256: "0123456789abcdef"}}); err == nil {
		t.Error("a file that is nowhere was located")
	}
}

// Where the cache folder cannot be written, a carried file is read from memory.
func TestCarriedInMemory(t *testing.T) {
	before := carried
	t.Cleanup(func() { carried = before })
	Carry(fstest.MapFS{"m.safetensors": {Data: []byte("weights")}})
	t.Setenv("METAMERS_CACHE", filepath.Join(os.DevNull, "cache"))
	sum := sha256.Sum256([]byte("weights"))
	w := card.Weights{File: "m.safetensors", SHA256: hex.EncodeToString(sum[:])}
	first, err := unpack(w)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		path, err := unpack(w)
		if err != nil || path != first {
			t.Errorf("%s %v, expected %s again", path, err, first)
		}
		if data, err := os.ReadFile(path); err != nil || string(data) != "weights" {
			t.Errorf("%q %v", data, err)
		}
		if got, err := weights.Sum(path); err != nil || got != w.SHA256 {
			t.Errorf("%s %v", got, err)
		}
	}
}
