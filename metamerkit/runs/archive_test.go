package runs

import (
	"archive/zip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// archived is a store of two runs with rows, and its archive.
func archived(t *testing.T) (*Store, string) {
	t.Helper()
	s := open(t)
	for seed := range uint64(2) {
		finish(t, s, sample(seed))
		if err := KeepRows(filepath.Join(s.Dir, sample(seed).ID), "0123456789abcdef", metamer.Rows{{Run: "r", Measure: "x", Image: -1, Value: 1}}); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "runs.zip")
	ids := []string{sample(0).ID, sample(1).ID}
	if err := s.Export(t.Context(), path, ids, Crate{Name: "two", License: "https://creativecommons.org/publicdomain/zero/1.0/", Authors: []string{"A", "B"}, Published: time.Unix(0, 0)}); err != nil {
		t.Fatal(err)
	}
	return s, path
}

func TestArchiveRoundTrip(t *testing.T) {
	_, path := archived(t)
	a, err := OpenArchive(path)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if ids := a.IDs(); !slices.Equal(ids, []string{sample(0).ID, sample(1).ID}) || a.Outside() != nil {
		t.Errorf("runs %v, problems %v", ids, a.Outside())
	}
	to := open(t)
	for _, id := range a.IDs() {
		if c := a.Verify(id); c.State != Whole || c.Rows != 1 {
			t.Errorf("%+v", c)
		}
		for _, want := range []bool{true, false} {
			if isNew, err := to.Import(t.Context(), a, id); isNew != want || err != nil {
				t.Errorf("Import gives %v, %v, expected %v", isNew, err, want)
			}
		}
		if c := to.Verify(t.Context(), id); c.State != Whole || c.Rows != 1 {
			t.Errorf("imported: %+v", c)
		}
		if rows, _, err := ReadRows(filepath.Join(to.Dir, id), "0123456789abcdef"); err != nil || len(rows) != 1 {
			t.Errorf("rows: %v, %v", rows, err)
		}
	}
	got, err := to.Load(sample(1).ID)
	if err != nil || !reflect.DeepEqual(bits(got.Metamers), bits(sample(1).Metamers)) {
		t.Errorf("other pixels: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(to.Dir, ".*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// What RO-Crate 1.1 asks of the metadata: the descriptor, the root with name, date and
// licence, every file described once and part of something.
func TestArchiveIsACrate(t *testing.T) {
	_, path := archived(t)
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	f, err := z.Open(crateName)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Graph []map[string]any `json:"@graph"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	byID, parts := map[string]map[string]any{}, map[string]int{}
	for _, e := range doc.Graph {
		id := e["@id"].(string)
		if byID[id] != nil {
			t.Errorf("%s is described twice", id)
		}
		byID[id] = e
		if list, ok := e["hasPart"].([]any); ok {
			for _, p := range list {
				parts[p.(map[string]any)["@id"].(string)]++
			}
		}
	}
	if d := byID[crateName]; d["conformsTo"].(map[string]any)["@id"] != "https://w3id.org/ro/crate/1.1" || d["about"].(map[string]any)["@id"] != "./" {
		t.Errorf("descriptor %v", d)
	}
	root := byID["./"]
	if root["name"] != "two" || root["datePublished"] != "1970-01-01" || root["license"] == nil || root["description"] == "" || len(root["author"].([]any)) != 2 {
		t.Errorf("root %v", root)
	}
	for _, f := range z.File {
		if f.Name != crateName && (byID[f.Name] == nil || byID[f.Name]["@type"] != "File" || parts[f.Name] != 1) {
			t.Errorf("%s is %v, part of %d", f.Name, byID[f.Name], parts[f.Name])
		}
	}
	// Whatever is referred to here is described here.
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if id, ok := v["@id"].(string); ok && len(v) == 1 && byID[id] == nil && !strings.HasPrefix(id, "https://w3id.org/") {
				t.Errorf("%s is not described", id)
			}
			for _, x := range v {
				walk(x)
			}
		case []any:
			for _, x := range v {
				walk(x)
			}
		}
	}
	for _, e := range doc.Graph {
		walk(e)
	}
}

// An archive that is damaged anywhere gives no run that is another.
func TestDamagedArchive(t *testing.T) {
	_, path := archived(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	hurt := filepath.Join(t.TempDir(), "hurt.zip")
	seen := 0
	for at := 0; at < len(whole); at += 499 {
		other := slices.Clone(whole)
		other[at] ^= 0x40
		for _, data := range [][]byte{whole[:at], other} {
			if err := os.WriteFile(hurt, data, 0o644); err != nil {
				t.Fatal(err)
			}
			a, err := OpenArchive(hurt)
			if err != nil {
				seen++
				continue
			}
			to := open(t)
			for _, id := range a.IDs() {
				_, err := to.Import(t.Context(), a, id)
				if err != nil {
					seen++
					continue
				}
				want := sample(0)
				if id == sample(1).ID {
					want = sample(1)
				}
				if got, err := to.Load(id); err != nil || !reflect.DeepEqual(bits(got.Metamers), bits(want.Metamers)) {
					t.Fatalf("byte %d: %v", at, err)
				}
			}
			a.Close()
		}
	}
	if seen == 0 {
		t.Error("no damage was seen")
	}
}

func TestHostileArchive(t *testing.T) {
	for what, names := range map[string][]string{
		"climbs":    {crateName, "runs/0123456789abcdef/../../../x"},
		"absolute":  {crateName, "runs/0123456789abcdef//etc/x"},
		"backslash": {crateName, `runs/0123456789abcdef/..\x`},
		"twice":     {crateName, "runs/0123456789abcdef/a", "runs/0123456789abcdef/a"},
		"no crate":  {"runs/0123456789abcdef/a"},
		"no runs":   {crateName, "x"},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "a.zip")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		z := zip.NewWriter(f)
		for _, n := range names {
			w, err := z.Create(n)
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(w, "{}")
		}
		if err := errors.Join(z.Close(), f.Close()); err != nil {
			t.Fatal(err)
		}
		var bad *CorruptError
		a, err := OpenArchive(path)
		if err == nil {
			s, e := Open(filepath.Join(dir, "store", "deep"))
			if e != nil {
				t.Fatal(e)
			}
			_, err = s.Import(t.Context(), a, "0123456789abcdef")
			a.Close()
		}
		if !errors.As(err, &bad) {
			t.Errorf("%s: %v", what, err)
		}
		for _, p := range []string{filepath.Join(dir, "x"), filepath.Join(dir, "store", "x"), "/etc/x"} {
			if _, err := os.Stat(p); err == nil {
				t.Errorf("%s: %s was written", what, p)
			}
		}
	}
}
