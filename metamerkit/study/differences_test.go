package study

import (
	"os"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/figures"
)

// offers is the table of docs/differences.md: what the program does, whatever the plan.
func offers() *figures.Table {
	t := &figures.Table{Name: "differences", Title: differencesTitle,
		Columns: []figures.Column{{Head: "topic"}, {Head: "paper"}, {Head: "this program"}}}
	for _, d := range Differences {
		t.Rows = append(t.Rows, []string{d.Topic, d.Paper, d.Offers})
	}
	return t
}

// docs/differences.md is what the program offers.
func TestDifferencesDocument(t *testing.T) {
	const path = "../../docs/differences.md"
	want := "# Differences from the paper\n\nThis page lists where the program does something other than the paper whose experiment it repeats (" + Paper + "), and what it settles where the paper is silent. What a study did stands on its own page, from its recipes and rows.\n\n" + offers().Markdown()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			return
		}
		t.Errorf("%s differs from Differences; UPDATE=1 go test ./metamerkit/study writes it (first line here: %.80q)", path, strings.SplitN(string(got), "\n", 2)[0])
	}
}
