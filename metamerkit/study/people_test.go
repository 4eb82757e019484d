package study

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// A page with people among the observers has their column and their correlation with each
// network; without them it has neither. People who saw other runs are refused.
func TestPeople(t *testing.T) {
	m := newMade()
	m.study.Observers = m.study.Observers[:2]
	p := Plan{Name: "small", Sets: m.study.Sets[:2], Stages: []string{"early", "late"}, Measures: []string{"recognizability"}, Settings: Settings{Steps: 20}}
	_, page, r := paged(t, m, p, metamer.Null{Set: "photos:64", SHA256: strings.Repeat("ab", 32), Pairs: 2016})
	if strings.Contains(page, `id="observers"`) {
		t.Error("a page without people has their tables")
	}
	var people metamer.Rows
	of := map[string]string{}
	for _, row := range r.Rows {
		of[row.Set+row.Stage] = row.Run
	}
	for k, run := range r.Runs {
		set := strings.Join(run.Recipe.ModelNames(), "+")
		people = append(people, metamer.Row{Run: of[set+run.Recipe.Stage], Set: set, Stage: run.Recipe.Stage, Observer: metamer.People, Image: -1,
			Measure: metamer.Recognizability, Value: float64(k+1) / 8, Low: math.NaN(), High: math.NaN(), Count: 6})
	}
	people = append(people, metamer.Row{Observer: metamer.People, Image: -1, Measure: metamer.NoiseCeiling, Value: .875, Low: math.NaN(), High: math.NaN()})
	other := people[0]
	other.Run = "another"
	if err := r.AddPeople(metamer.Rows{other}); err == nil || !strings.Contains(err.Error(), "another") {
		t.Errorf("error %v", err)
	}
	if err := r.AddPeople(people); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if warnings, err := r.Write(dir); warnings != nil || err != nil {
		t.Fatal(warnings, err)
	}
	for file, want := range map[string][]string{
		"index.html": {`id="observers"`, "Spearman correlation, over model sets", "people ↑", "is 0.875"},
		"people.md":  {"observer", "Spearman"},
		"table5.md":  {"people", "0.125"},
		rowsName:     {",people,"},
	} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Error(err)
		}
		for _, w := range want {
			if !strings.Contains(string(text), w) {
				t.Errorf("%s does not say %q", file, w)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(dir, claimsByPeople+".md")); err == nil {
		t.Error("six images test claims")
	}
}
