package runs

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func FuzzTrace(f *testing.F) {
	var b bytes.Buffer
	path := filepath.Join(f.TempDir(), "trace.csv")
	if err := writeTrace(path, sample(1)); err != nil {
		f.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{string(data), "", "a\nb\n", "step,member\n1,2\n", "step,member,image,loss\n1,a,0,nan\n1,a,-1,1e400\n", b.String()} {
		f.Add([]byte(s))
	}
	r := sample(1).Recipe
	f.Fuzz(func(t *testing.T, data []byte) {
		tr, err := parseTrace("trace.csv", bytes.NewReader(data), r)
		var bad *CorruptError
		if err != nil && !errors.As(err, &bad) {
			t.Errorf("%v is no *CorruptError", err)
		}
		if len(tr.Step) != len(tr.Loss) || len(tr.Member) != len(tr.Loss) || len(tr.Image) != len(tr.Loss) {
			t.Errorf("%d steps, %d members, %d images, %d losses", len(tr.Step), len(tr.Member), len(tr.Image), len(tr.Loss))
		}
	})
}

// FuzzRun reads run folders whose manifest vouches for whatever their files say.
func FuzzRun(f *testing.F) {
	run := sample(1)
	finish(f, open(f), run)
	seeds := [][]byte{}
	for _, name := range []string{"recipe.json", "evidence.json", manifestName} {
		data, err := os.ReadFile(filepath.Join(run.Dir, name))
		if err != nil {
			f.Fatal(err)
		}
		seeds = append(seeds, data)
	}
	f.Add(seeds[0], seeds[1], seeds[2])
	f.Add([]byte("{}"), []byte("{}"), []byte("{}"))
	f.Add([]byte(`{"images":{"count":-1,"size":1152921504606846976}}`), []byte(`{"evidence":[{"image":-9}]}`), []byte(`{"files":{"../x":"y"}}`))
	f.Fuzz(func(t *testing.T, recipe, matches, manifest []byte) {
		for name, data := range map[string][]byte{"recipe.json": recipe, "evidence.json": matches, manifestName: manifest} {
			if err := os.WriteFile(filepath.Join(run.Dir, name), data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := read(run.ID, run.Dir); err == nil && (got.Recipe.ID() != run.ID || plausible(got) == nil && got.PassCount() < 0) {
			t.Errorf("recipe %s under the name %s", got.Recipe.ID(), run.ID)
		}
		if c := verifyFolder(Check{ID: run.ID, Dir: run.Dir, State: Whole}); (c.State == Whole) != (len(c.Problems) == 0) {
			t.Errorf("%+v", c)
		}
	})
}

func FuzzArchive(f *testing.F) {
	s, run := open(f), sample(1)
	finish(f, s, run)
	path := filepath.Join(f.TempDir(), "a.zip")
	if err := s.Export(f.Context(), path, []string{run.ID}, Crate{}); err != nil {
		f.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<20 {
			return
		}
		a, err := newArchive("a.zip", bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		a.Outside()
		for _, id := range a.IDs()[:1] {
			if c := a.Verify(id); c.State == Whole && id != run.ID {
				t.Errorf("a whole run of another name: %+v", c)
			}
		}
	})
}
