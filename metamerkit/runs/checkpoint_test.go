package runs

import (
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
)

func TestCheckpoint(t *testing.T) {
	s, run := open(t), sample(1)
	w := begin(t, s, run)
	if c, err := w.Restore(); c != nil || err != nil {
		t.Fatalf("no checkpoint gives %v, %v", c, err)
	}
	want := map[string][]float32{"images": {1.0 / 3, float32(math.Inf(-1)), math.SmallestNonzeroFloat32}, "none": {}}
	for _, state := range []string{"{}", `{"step":12}`, "", strings.Repeat(" ", 1<<16) + "1"} {
		if err := w.Save(Checkpoint{Arrays: want, State: []byte(state)}); err != nil {
			t.Fatal(err)
		}
		c, err := w.Restore()
		if err != nil {
			t.Fatal(err)
		}
		if string(c.State) != state || !reflect.DeepEqual(bits(c.Arrays["images"]), bits(want["images"])) || len(c.Arrays) != 2 {
			t.Errorf("restored %v, expected %v with a state of %d bytes", c.Arrays, want, len(state))
		}
	}
}

// Every way of cutting a checkpoint short or changing one of its bytes is seen.
func TestDamagedCheckpoint(t *testing.T) {
	s, run := open(t), sample(1)
	w := begin(t, s, run)
	if err := w.Save(Checkpoint{Arrays: map[string][]float32{"x": {1, 2}}, State: []byte(`{"step":12}`)}); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(w.checkpointPath())
	if err != nil {
		t.Fatal(err)
	}
	damaged := func(what string, at int, data []byte) {
		if err := os.WriteFile(w.checkpointPath(), data, 0o644); err != nil {
			t.Fatal(err)
		}
		if c, warning := w.Restore(); c != nil || warning == nil || !strings.Contains(warning.Error(), run.ID) {
			t.Errorf("%s at byte %d: %v, warning %v", what, at, c, warning)
		}
		if c, warning := w.Restore(); c != nil || warning != nil {
			t.Errorf("%s at byte %d: the second Restore gives %v, %v", what, at, c, warning)
		}
	}
	for i := range whole {
		damaged("cut", i, whole[:i])
		other := append([]byte(nil), whole...)
		other[i] ^= 0x81
		damaged("flip", i, other)
	}
}

func FuzzRestore(f *testing.F) {
	for _, tail := range []string{"", "0000000000000000", "ffffffffffffffff", "{}0000000000000002", "-000000000000001"} {
		f.Add([]byte(tail))
	}
	w := begin(f, open(f), sample(1))
	f.Fuzz(func(t *testing.T, data []byte) {
		// A matching digest, so that what lies behind it is reached.
		if err := os.WriteFile(w.checkpointPath(), append(data, digest(data)...), 0o644); err != nil {
			t.Fatal(err)
		}
		if c, warning := w.Restore(); (c == nil) == (warning == nil) {
			t.Errorf("%v, %v: expected a checkpoint or a warning", c, warning)
		}
	})
}
