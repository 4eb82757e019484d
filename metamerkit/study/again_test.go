package study

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/figures"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// identified is the made-up study with an ID for each run, in rows too.
func identified() (*made, map[string]*metamer.Run) {
	m := newMade()
	byID, named := map[string]*metamer.Run{}, map[string]string{}
	for i, run := range m.runs {
		run.ID = fmt.Sprintf("%016x", i+1)
		run.Recipe = run.Recipe.WithDefaults()
		byID[run.ID] = run
		named[figures.SetName(run.Recipe.ModelNames())+run.Recipe.Stage] = run.ID
	}
	for i, row := range m.study.Rows {
		if row.Set != "" {
			m.study.Rows[i].Run = named[row.Set+row.Stage]
			m.study.Rows[i].Made = byID[named[row.Set+row.Stage]].Made()
		}
	}
	return m, byID
}

// A page that replaces that of another plan removes the files that only the other had,
// and no others.
func TestReplacedPage(t *testing.T) {
	m, _ := identified()
	dir := t.TempDir()
	write := func(name string, sets [][]string) []string {
		r, err := Do(context.Background(), m, Plan{Name: name, Sets: sets, Stages: []string{"late"}, Measures: []string{"recognizability"}, Observers: m.study.Observers[:1]}, Options{Images: m.refs})
		if err != nil {
			t.Fatal(err)
		}
		warnings, err := r.Write(dir)
		if err != nil {
			t.Fatal(err)
		}
		return warnings
	}
	if Holds(dir) != "" {
		t.Error("an empty folder holds a page")
	}
	if w := write("one", m.study.Sets[:2]); w != nil || Holds(dir) != "one" {
		t.Error(w, Holds(dir))
	}
	for _, name := range []string{"sheet_mine.png", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	w := write("two", m.study.Sets[1:2])
	if len(w) != 1 || !strings.Contains(w[0], "earlier page of plan one") || !strings.Contains(w[0], "sheet_resnet20.png") || Holds(dir) != "two" {
		t.Errorf("%q", w)
	}
	for name, want := range map[string]bool{"sheet_resnet20.png": false, "sheet_resnet20_vgg11.png": true, "sheet_mine.png": true, "notes.txt": true, "index.html": true} {
		if _, err := os.Stat(filepath.Join(dir, name)); (err == nil) != want {
			t.Errorf("%s: %v, expected there %v", name, err, want)
		}
	}
	if w := write("two", m.study.Sets[1:2]); w != nil {
		t.Errorf("the same page again: %q", w)
	}
}

// What a study wrote is drawn again from its folder, to the byte; from rows alone
// without what shows images.
func TestAgain(t *testing.T) {
	m, byID := identified()
	r, err := Do(context.Background(), m, plan(m), Options{Images: m.refs})
	if err != nil {
		t.Fatal(err)
	}
	dir, out := t.TempDir(), t.TempDir()
	if _, _, err := r.Save(dir, []string{"figure2", "figure3", "claims", "table2", "table4"}, []string{"svg", "md"}, 0); err != nil {
		t.Fatal(err)
	}
	if err := metamer.SaveRows(filepath.Join(dir, rowsName), r.Rows); err != nil {
		t.Fatal(err)
	}
	if err := r.record(dir, nil); err != nil {
		t.Fatal(err)
	}
	a := &Again{Cards: m.study.Cards, Run: func(id string) (*metamer.Run, error) { return byID[id], nil }, References: func(*metamer.Run) (*images.Set, error) { return m.refs, nil }}
	if err := a.Read(dir); err != nil {
		t.Fatal(err)
	}
	again, notes, err := a.Result()
	if err != nil || len(notes) > 0 {
		t.Fatal(notes, err)
	}
	parts, err := Parts([]string{"fig2", "Figure3", "claims", "table2", "table4", "fig3"})
	if err != nil || len(parts) != 5 {
		t.Fatal(parts, err)
	}
	files, warnings, err := again.Save(out, parts, []string{"svg", "md"}, 0)
	if err != nil || len(warnings) > 0 || len(files) != 5 {
		t.Fatal(files, warnings, err)
	}
	for _, f := range files {
		got, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join(dir, filepath.Base(f)))
		if err != nil || string(got) != string(want) {
			t.Errorf("%s differs from that of the study: %v", filepath.Base(f), err)
		}
	}

	alone := &Again{Rows: r.Rows, Cards: m.study.Cards, Run: func(id string) (*metamer.Run, error) { return nil, fs.ErrNotExist }}
	rows, notes, err := alone.Result()
	if err != nil || notes != nil {
		t.Fatal(notes, err)
	}
	some := &Again{Rows: r.Rows, Cards: m.study.Cards, Run: func(id string) (*metamer.Run, error) {
		if id == r.Runs[0].ID {
			return r.Runs[0], nil
		}
		return nil, fs.ErrNotExist
	}}
	if _, notes, err := some.Result(); err != nil || len(notes) != 1 || !strings.Contains(notes[0], "20 of the 21 runs") {
		t.Error(notes, err)
	}
	if !slices.Equal(rows.Plan.Stages, metamer.Stages) || len(rows.Plan.Sets) != len(m.study.Sets) || len(rows.Plan.Observers) != len(m.study.Observers) {
		t.Errorf("%+v", rows.Plan)
	}
	if got := rows.Study().Settings; got != rows.made()[0].Recipe.Describe() || !strings.Contains(got, "1000 steps") {
		t.Errorf("settings %q", got)
	}
	files, warnings, err = rows.Save(out, []string{"figure1", "figure2", "table4", "table5"}, []string{"png", "tex"}, 0)
	if err != nil || len(files) != 2 || len(warnings) != 2 || !strings.Contains(warnings[0], "figure1") {
		t.Error(files, warnings, err)
	}
}

func TestAgainRefused(t *testing.T) {
	m, _ := identified()
	two := slices.Clone(m.study.Rows)
	two[len(two)-1].Run = "ffffffffffffffff"
	if _, _, err := (&Again{Rows: two}).Result(); err == nil || !strings.Contains(err.Error(), "ffffffffffffffff") {
		t.Error(err)
	}
	if _, _, err := (&Again{}).Result(); err == nil {
		t.Error("nothing is drawn")
	}
	other := slices.Clone(m.study.Rows)
	for i := range other {
		if other[i].Stage == "late" && other[i].Made != nil {
			made := *other[i].Made
			made.Steps = 7
			other[i].Made = &made
		}
	}
	if _, notes, err := (&Again{Rows: other}).Result(); err != nil || !strings.Contains(strings.Join(notes, "\n"), "evaluations (1000 in 14 runs, 7 in 7 runs)") {
		t.Error(notes, err)
	}
	if err := (&Again{}).Read(t.TempDir()); err == nil || !strings.Contains(err.Error(), "study.json") {
		t.Error(err)
	}
	for _, names := range [][]string{{"fig9"}, {"table0"}, {""}} {
		if _, err := Parts(names); err == nil {
			t.Errorf("%v are parts", names)
		}
	}
	r := &Result{}
	if _, _, err := r.Save(t.TempDir(), nil, []string{"gif"}, 0); err == nil || !strings.Contains(err.Error(), "svg") {
		t.Error(err)
	}
}
