package runs

import (
	"os"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// A run that was made before there were null sets is read under its name; its null was its
// own.
func TestRunOfBefore(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/before")); err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	run, err := s.Load("626673c04f979895")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []metamer.Recipe{run.Recipe, run.Recipe.WithDefaults()} {
		if got := r.NullOf(); r.ID() != run.ID || got != "at most 1000 random pairs of the run's own references" {
			t.Errorf("recipe %s: %s", r.ID(), got)
		}
	}
	if got := run.Verdict(); got != "1 image not tested: a single reference has no null distribution" || run.Outcomes()[0] != metamer.NotTested {
		t.Errorf("%s, %v", got, run.Outcomes())
	}
	if m := run.Matches(); len(m) != 1 || m[0].Tested != 0 || m[0].Count != 1 || m[0].Loss != run.Statistics[0].Loss || m[0].Null.Of() != "no pairs: there is a single reference" {
		t.Errorf("%+v", m)
	}
}
